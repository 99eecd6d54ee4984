package main

import (
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"hooktape/web/api"
)

type loginCmd struct {
	Role api.Role `enum:"read,replay,admin" default:"admin" help:"What the user of the link may do: ${enum} (default: ${default})."`
	JSON bool     `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (loginCmd) Help() string {
	return `The link works once, within ten minutes, and only while the process that created it runs. Opening it shows
a button; pressing the button logs in. Everybody who has the link can use it, so send it over a private channel only.

    hooktape login                    for yourself, on the machine of hooktape
    hooktape login --role read        for somebody who may look but change nothing
    hooktape login --api-url https://hooktape.example.org:8081 --api-token-file token

The command asks the running hooktape, with a token of the role admin: of --api-token-file or HOOKTAPE_API_TOKEN, else
of the configuration, which only the user of hooktape can read.`
}

// Run prints a link.
func (c loginCmd) Run(e *env) error {
	base, token, err := e.consoleAccess()
	if err != nil {
		return err
	}
	client, err := api.NewClient(base, token)
	if err != nil {
		return fmt.Errorf("--api-url: %w", err)
	}
	defer client.Close()
	link, err := client.CreateLoginLink(e.ctx, c.Role)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e.stdout, struct {
			URL string `json:"url"`
			api.LoginLink
		}{base + link.Path, link})
	}
	fmt.Fprintln(e.stdout, base+link.Path)
	fmt.Fprintf(e.stderr, "It logs in once as %s (%s), until %s.\n", safe(link.Name), link.Role,
		link.ExpiresAt.Local().Format(time.TimeOnly))
	return nil
}

// consoleAccess returns the URL of the console and the API, and a token with the role admin: those of the flags, else
// those of the configuration.
func (e *env) consoleAccess() (base, token string, err error) {
	if token, err = e.apiToken(api.RoleAdmin); err != nil || e.flags.APIURL != "" {
		return e.flags.APIURL, token, err
	}
	cfg, err := e.config()
	if err != nil {
		return "", "", err
	}
	return reachable(cfg.APIURL()), token, nil
}

// reachable returns a URL with the loopback address in place of one that means all addresses.
func reachable(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	if addr, err := netip.ParseAddr(u.Hostname()); u.Hostname() == "" || err == nil && addr.IsUnspecified() {
		u.Host = "127.0.0.1:" + u.Port()
	}
	return u.String()
}

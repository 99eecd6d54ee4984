package main

import (
	"fmt"
	"slices"

	"hooktape/internal/config"
	"hooktape/internal/event"
)

type sourcesCmd struct {
	List sourcesListCmd `cmd:"" default:"withargs" help:"List the sources: name, tab, hook URL (the default)."`
	Add  sourcesAddCmd  `cmd:"" help:"Add a source with a random token, and print its hook URL."`
}

type sourcesListCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

type sourceJSON struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// Run lists the sources.
func (c sourcesListCmd) Run(e *env) error {
	cfg, err := e.config()
	if err != nil {
		return err
	}
	list := []sourceJSON{}
	for _, s := range cfg.Sources {
		list = append(list, sourceJSON{s.Name, cfg.HookURL(s)})
	}
	if c.JSON {
		return printJSON(e.stdout, list)
	}
	for _, s := range list {
		fmt.Fprintf(e.stdout, "%s\t%s\n", s.Name, s.URL)
	}
	return nil
}

type sourcesAddCmd struct {
	Name         string     `arg:"" help:"Name of the source: lower-case letters, digits, - and _."`
	Kind         event.Kind `placeholder:"KIND" help:"What its events are when their bodies do not tell: flow, conversation_closed or user_profile_viewed."`
	SigningToken string     `placeholder:"TOKEN" help:"The token of BotHelp's chat webhook; requests must then be signed with it."`
	JSON         bool       `name:"json" help:"Print JSON."`
}

// Run adds a source to the configuration file, leaving all else in it as it is. A running hooktape takes it up.
func (c sourcesAddCmd) Run(e *env) error {
	cfg, err := e.config()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(cfg.Sources, func(s config.Source) bool { return s.Name == c.Name }) {
		return fmt.Errorf("the source %q is there already; `hooktape sources` shows its URL", c.Name)
	}
	source := config.Source{Name: c.Name, Token: config.RandomToken(), Kind: c.Kind, SigningToken: c.SigningToken}
	if err := config.AddSource(e.file().Path, source); err != nil {
		return err
	}
	added := sourceJSON{c.Name, cfg.HookURL(source)}
	if c.JSON {
		return printJSON(e.stdout, added)
	}
	fmt.Fprintf(e.stdout, "%s\t%s\n", added.Name, added.URL)
	return nil
}

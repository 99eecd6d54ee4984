package main

import (
	"cmp"
	"errors"
	"fmt"

	"hooktape/dashboards"
	"hooktape/dashboards/push"
	"hooktape/internal/config"
)

type dashboardsCmd struct {
	Push   dashboardsPushCmd   `cmd:"" help:"Push the dashboards to a running Grafana, with their folder and data source."`
	Export dashboardsExportCmd `cmd:"" help:"Write the dashboards to files, for a Grafana that reads them from a directory."`
}

type dashboardsPushCmd struct {
	GrafanaURL             string `name:"grafana-url" env:"GRAFANA_URL" required:"" placeholder:"URL" help:"Grafana's address, as a browser shows it up to /login."`
	GrafanaTokenFile       string `env:"GRAFANA_TOKEN_FILE" type:"path" placeholder:"FILE" help:"File with the token of a service account whose role is Admin (default: $GRAFANA_TOKEN)."`
	DatasourceDSN          string `name:"datasource-dsn" env:"HOOKTAPE_DATASOURCE_DSN" placeholder:"DSN" help:"ClickHouse by the address that Grafana reaches, and the user that Grafana asks as (default: the configuration's; of the embedded engine the user who only reads)."`
	DatasourcePasswordFile string `env:"HOOKTAPE_GRAFANA_PASSWORD_FILE" type:"path" placeholder:"FILE" help:"File with that user's password (default: $HOOKTAPE_GRAFANA_PASSWORD, else the DSN's)."`
	Datasource             bool   `negatable:"" default:"true" help:"Push the data source too (the default)."`
	DryRun                 bool   `help:"Show what would change, as a diff, and change nothing."`
	JSON                   bool   `name:"json" help:"Print JSON."`
}

// Help is shown below the flags.
func (dashboardsPushCmd) Help() string {
	return `Examples:

  hooktape dashboards push --grafana-url https://grafana.example.org --grafana-token-file token --dry-run
  hooktape dashboards push --grafana-url http://127.0.0.1:3000 \
    --datasource-dsn clickhouse://grafana@clickhouse:9000/hooktape

What is there already and not ours (in another folder, without our tag) is left as it is, and said; then the exit code
is 1. Whoever may edit in Grafana can run any SQL as the data source's user: let it be one that only reads. The README
says how.`
}

// dataSourceUID is the uid of the data source. Provisioning uses the same.
const dataSourceUID = "hooktape-clickhouse"

// Run pushes.
func (c dashboardsPushCmd) Run(e *env) error {
	token, err := config.Secret("--grafana-token-file", c.GrafanaTokenFile, "GRAFANA_TOKEN")
	if err != nil {
		return err
	}
	if token == "" {
		return errors.New("there is no token for Grafana: set GRAFANA_TOKEN, or name a file with it by " +
			"--grafana-token-file; Grafana makes one under Administration, Service accounts, with the role Admin")
	}
	b := push.Bundle{FolderUID: dashboards.FolderUID, Folder: dashboards.Folder}
	if b.Dashboards, err = dashboards.All(); err != nil {
		return err
	}
	if c.Datasource {
		if b.DataSource, err = c.dataSource(e); err != nil {
			return err
		}
	}
	grafana, err := push.Open(e.ctx, c.GrafanaURL, token)
	if err != nil {
		return err
	}
	defer grafana.Close()
	changes, err := grafana.Push(b, c.DryRun)
	if err := c.print(e, changes); err != nil {
		return err
	}
	return cmp.Or(err, refusedOf(changes))
}

// dataSource returns ClickHouse as Grafana reaches it.
func (c dashboardsPushCmd) dataSource(e *env) (*push.DataSource, error) {
	dsn := c.DatasourceDSN
	if dsn == "" {
		cfg, err := e.config()
		if err != nil {
			return nil, fmt.Errorf("%w; or name ClickHouse by --datasource-dsn", err)
		}
		dsn = cfg.ReaderDSN()
	}
	d, err := push.FromDSN(dsn)
	if err != nil {
		return nil, err
	}
	password, err := config.Secret("--datasource-password-file", c.DatasourcePasswordFile, "HOOKTAPE_GRAFANA_PASSWORD")
	d.UID, d.Name, d.Password = dataSourceUID, "hooktape", cmp.Or(password, d.Password)
	return &d, err
}

// print prints the changes: first the diffs of a dry run, then the table, which remains visible on a terminal.
func (c dashboardsPushCmd) print(e *env, changes []push.Change) error {
	if c.JSON {
		return printJSON(e.stdout, append([]push.Change{}, changes...))
	}
	if len(changes) == 0 {
		return nil
	}
	for _, change := range changes {
		fmt.Fprint(e.stdout, safeText(change.Diff))
	}
	t := newTable(e.stdout, "RESULT", "KIND", "TITLE", "UID", "NOTE")
	for _, change := range changes {
		t.row(c.word(change.Result), change.Kind, change.Title, change.UID, orDash(change.Note))
	}
	return t.end()
}

func (c dashboardsPushCmd) word(r push.Result) string {
	switch {
	case c.DryRun && r == push.Created:
		return "would be created"
	case c.DryRun && r == push.Updated:
		return "would be updated"
	}
	return string(r)
}

// refusedOf returns an error if a change was refused.
func refusedOf(changes []push.Change) error {
	refused := uint64(0)
	for _, change := range changes {
		if change.Result == push.Refused {
			refused++
		}
	}
	if refused == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d were left as they are; the notes say why", refused, len(changes))
}

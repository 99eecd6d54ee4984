package main

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"hooktape/internal/event"
	"hooktape/web/api"
)

type viewsCmd struct {
	List   viewsListCmd   `cmd:"" help:"List saved views."`
	Save   viewsSaveCmd   `cmd:"" help:"Save filters of events under a name, or replace those under that name."`
	Delete viewsDeleteCmd `cmd:"" help:"Delete a saved view."`
}

type viewsListCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists the saved views.
func (c viewsListCmd) Run(e *env) error {
	return show(e, c.JSON, func(b backend) ([]api.SavedView, error) { return b.SavedViews(e.ctx) }, func(
		views []api.SavedView) error {
		if len(views) == 0 {
			fmt.Fprintln(e.stderr, "no views are saved; `hooktape views save` saves one")
			return nil
		}
		t := newTable(e.stdout, "NAME", "FILTERS", "SAVED BY", "SAVED AT")
		for _, v := range views {
			t.row(v.Name, v.Query, v.By, local(v.At))
		}
		return t.end()
	})
}

type viewsSaveCmd struct {
	Name string `arg:"" help:"The view's name."`
	selectionFlags
}

// Help implements kong.HelpProvider.
func (viewsSaveCmd) Help() string {
	return `Everybody sees the view in the console's list of events. A relative time such as --since 24h stays relative.

  hooktape views save "Paid today" --step paid --since 24h`
}

// Run saves a view.
func (c viewsSaveCmd) Run(e *env) error {
	if c.IDsFile != "" {
		return errors.New("a view cannot have --ids-file: it is a list of filters")
	}
	values := filterValues(event.Filters, c.Plugins)
	if err := wholeIDs(e, event.Filters, values); err != nil {
		return err
	}
	if err := readTimes(event.Filters, values, time.Now()); err != nil {
		return err
	}
	query := url.Values{}
	for name, list := range values {
		for _, value := range list {
			if filter, _ := event.FilterNamed(name); value != "" || filter.Many() {
				query.Add(name, value)
			}
		}
	}
	return e.withBackend(func(b backend) error { return b.SaveView(e.ctx, c.Name, query.Encode()) })
}

type viewsDeleteCmd struct {
	Name string `arg:"" help:"The view's name."`
}

// Run deletes a view.
func (c viewsDeleteCmd) Run(e *env) error {
	return e.withBackend(func(b backend) error { return b.DeleteView(e.ctx, c.Name) })
}

package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// SavedView is a selection of events with a name, for everybody.
type SavedView = store.SavedView

// SavedViewList is the saved views.
type SavedViewList struct {
	Views []SavedView `json:"views" doc:"In order of their names."`
}

const (
	maxViewName   = 60 // characters
	maxViewQuery  = 4 << 10
	maxSavedViews = 100
)

// SavedViews returns the saved views, by name.
func (d *Direct) SavedViews(ctx context.Context) ([]SavedView, error) {
	found, err := d.store.SavedViews(ctx)
	return append([]SavedView{}, found...), err
}

// SaveView saves filters under a name, or replaces those under that name.
func (d *Direct) SaveView(ctx context.Context, name, query string) error {
	if err := d.require(RoleReplay); err != nil {
		return err
	}
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n == 0 || n > maxViewName || !utf8.ValidString(name) ||
		strings.Contains(name, "/") { // it is an element of a path
		return Invalidf("invalid name of a view: want 1 to %d characters, without a slash", maxViewName)
	}
	query, err := d.viewQuery(query)
	if err != nil {
		return err
	}
	views, err := d.store.SavedViews(ctx)
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(views, func(v store.SavedView) bool { return v.Name == name })
	if len(views) >= maxSavedViews && !known {
		return Invalidf("there are %d saved views already; delete one first", len(views))
	}
	if err := d.audit(ctx, "view.save", name, map[string]any{"query": query}); err != nil {
		return err
	}
	return d.store.SaveView(ctx, store.SavedView{Name: name, Query: query, By: d.actor.Name})
}

// viewQuery returns a query of filters in its normal form. It refuses ids that are not whole, and a query that
// GET /events would refuse.
func (d *Direct) viewQuery(query string) (string, error) {
	if len(query) > maxViewQuery {
		return "", Invalidf("the filters of a view may have %d bytes, not %d", maxViewQuery, len(query))
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", Invalidf("invalid query: %v", err)
	}
	values = event.Renamed(values)
	for name := range values {
		if _, ok := event.FilterNamed(name); !ok {
			return "", Invalidf("there is no filter %q", name)
		}
	}
	sel, faults := event.ParseSelection(values, time.Now())
	if err := CheckSelection(faults); err != nil {
		return "", err
	}
	return values.Encode(), d.checkSelection(sel)
}

// DeleteView deletes a view.
func (d *Direct) DeleteView(ctx context.Context, name string) error {
	if err := d.require(RoleReplay); err != nil {
		return err
	}
	views, err := d.store.SavedViews(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(views, func(v store.SavedView) bool { return v.Name == name }) {
		return Problemf(http.StatusNotFound, "there is no saved view %q", name)
	}
	if err := d.audit(ctx, "view.delete", name, nil); err != nil {
		return err
	}
	return d.store.DeleteView(ctx, name, d.actor.Name)
}

// ViewPath has the name of a view.
type ViewPath struct {
	Name string `path:"name" maxLength:"240" doc:"The view's name."`
}

// NewView is a request to save a view.
type NewView struct {
	Query string `json:"query" maxLength:"4096" doc:"Filters, as the query of GET /events, with whole ids." example:"step=paid&since=24h"`
}

type viewInput struct {
	ViewPath
	Body NewView
}

func (s *server) viewRoutes() {
	reply(s, RoleRead, "GET /views", huma.Operation{OperationID: "list-views",
		Summary: "List saved views", Description: "Named filters of the list of events."},
		func(ctx context.Context, _ *struct{}) (SavedViewList, error) {
			list, err := s.as(ctx).SavedViews(ctx)
			return SavedViewList{list}, err
		})
	route(s, RoleReplay, "PUT /views/{name}", huma.Operation{OperationID: "save-view",
		DefaultStatus: http.StatusNoContent,
		Summary:       "Save a view", Description: "Replaces the view with this name. The audit log records it."},
		func(ctx context.Context, in *viewInput) (*struct{}, error) {
			return &struct{}{}, s.as(ctx).SaveView(ctx, in.Name, in.Body.Query)
		})
	route(s, RoleReplay, "DELETE /views/{name}", huma.Operation{OperationID: "delete-view",
		DefaultStatus: http.StatusNoContent, Errors: []int{http.StatusNotFound},
		Summary: "Delete a view", Description: "The audit log records it."},
		func(ctx context.Context, in *ViewPath) (*struct{}, error) {
			return &struct{}{}, s.as(ctx).DeleteView(ctx, in.Name)
		})
}

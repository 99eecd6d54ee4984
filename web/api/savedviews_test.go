package api_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"hooktape/web/api"
)

// TestSavedViews: the last version of a view counts, a deleted one is gone until it is saved again, and the audit log
// has each change.
func TestSavedViews(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, c := context.Background(), f.client(replaySecret)
	names := func() (list []string) {
		t.Helper()
		views, err := f.client(readSecret).SavedViews(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range views {
			list = append(list, v.Name+" "+v.Query+" "+v.By)
		}
		return list
	}
	const name = "Оплаты, июнь?"
	for _, query := range []string{"step=start", "to=2026-01-31T13:00:00Z&step=paid", ""} {
		if err := c.SaveView(ctx, name, query); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.client(adminSecret).SaveView(ctx, "a", "where=1&step=paid"); err != nil {
		t.Fatal(err)
	}
	if got, want := names(), []string{"a step=paid&where=1 boss", name + "  replayer"}; !slices.Equal(got, want) {
		t.Errorf("the views are %q, want %q", got, want)
	}
	if err := c.DeleteView(ctx, name); err != nil {
		t.Fatal(err)
	}
	if p, ok := errors.AsType[*api.Problem](c.DeleteView(ctx, name)); !ok || p.Status != http.StatusNotFound {
		t.Errorf("deleting it again: %v", p)
	}
	if got := names(); len(got) != 1 {
		t.Errorf("a deleted view is still in %q", got)
	}
	if err := c.SaveView(ctx, name, "step=paid"); err != nil || len(names()) != 2 {
		t.Errorf("saved again, the views are %q, %v", names(), err)
	}
	id := newEvents("shop", 1)[0].ID.String()
	for _, short := range []string{id[:8], "last"} {
		if p, ok := errors.AsType[*api.Problem](c.SaveView(ctx, "one", "id="+short)); !ok ||
			p.Detail != `selection.id: invalid value "`+short+`": want the whole id of an event` {
			t.Errorf("saving the id %s: %v", short, p)
		}
	}
	if err := c.SaveView(ctx, "one", "id="+id); err != nil || !slices.Contains(names(), "one id="+id+" replayer") {
		t.Errorf("the views are %q, %v", names(), err)
	}
	entries, err := f.client(adminSecret).AuditLog(ctx, 100)
	entries = slices.DeleteFunc(entries, func(a api.AuditEntry) bool { return a.Target != name })
	if err != nil || len(entries) != 5 || entries[1].Action != "view.delete" || entries[4].Action != "view.save" ||
		entries[4].Detail != `{"query":"step=start"}` {
		t.Errorf("the audit log has %+v, %v", entries, err)
	}
}

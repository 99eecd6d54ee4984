package push

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	gapi "github.com/grafana/grafana-api-golang-client"

	"hooktape/dashboards"
)

// dataSource creates or updates the data source.
func (p pusher) dataSource(d DataSource) (Change, error) {
	c := Change{Kind: "data source", Title: d.Name, UID: d.UID}
	theirs, err := p.api.DataSourceByUID(d.UID)
	switch {
	case notFound(err):
		theirs = &gapi.DataSource{UID: d.UID, Name: d.Name, Type: dashboards.PluginID, Access: "proxy"}
		return p.put(c.as(Created), d, theirs)
	case err != nil:
		return c, p.explainDataSource("read data sources", err)
	}
	c.Title = theirs.Name
	if theirs.Type != dashboards.PluginID {
		return c.refused("the data source with this uid has another type (" + theirs.Type +
			"), so it is not hooktape's; give it another uid, or push the dashboards only"), nil
	}
	if reflect.DeepEqual(merged(theirs.JSONData, d.settings()), theirs.JSONData) {
		return p.put(c.as(Unchanged), d, theirs)
	}
	if theirs.ReadOnly {
		return c.refused("it is provisioned from a file and can only be changed there; change or delete it there, or " +
			"push the dashboards only"), nil
	}
	return p.put(c.as(Updated), d, theirs)
}

// put writes the data source. Grafana returns no passwords, so a given password is written even if nothing else
// changes.
func (p pusher) put(c Change, d DataSource, theirs *gapi.DataSource) (Change, error) {
	next := *theirs
	next.JSONData = merged(theirs.JSONData, d.settings())
	if d.Password != "" && !theirs.ReadOnly {
		next.SecureJSONData = map[string]any{"password": d.Password}
		if c.Result == Unchanged {
			c.Note = "the password is written again, because Grafana does not return the current one"
		}
	}
	if p.dry {
		return p.diff(c, theirs, next)
	}
	var err error
	switch {
	case c.Result == Created:
		_, err = p.api.NewDataSource(&next)
	case c.Result == Updated, next.SecureJSONData != nil:
		err = p.api.UpdateDataSourceByUID(&next)
	}
	if c, err = c.settle(err); err != nil {
		return c, p.explainDataSource("change data sources", err)
	}
	if c.Result != Refused {
		c.Note = strings.Join(slices.DeleteFunc([]string{c.Note, p.health(d)}, func(s string) bool {
			return s == ""
		}), "; ")
	}
	return c, nil
}

// explainDataSource is explain, with advice for tokens without rights to data sources.
func (p pusher) explainDataSource(doing string, err error) error {
	refused, ok := errors.AsType[*refusal](err)
	err = p.explain(doing, err)
	if ok && refused.status == http.StatusForbidden {
		return fmt.Errorf("%w, or push the dashboards only", err)
	}
	return err
}

// diff returns the changes of a data source's settings, without the password.
func (p pusher) diff(c Change, theirs *gapi.DataSource, next gapi.DataSource) (Change, error) {
	before := map[string]any(nil)
	if c.Result != Created {
		before = map[string]any{"name": theirs.Name, "type": theirs.Type, "jsonData": theirs.JSONData}
	}
	var err error
	c.Diff, err = compare(c.UID, before, map[string]any{"name": next.Name, "type": next.Type,
		"jsonData": next.JSONData})
	return c, err
}

// health makes Grafana query ClickHouse and returns the problem, if any. The usual problem is the address: Grafana may
// need another address of ClickHouse than this machine.
func (p pusher) health(d DataSource) string {
	var answer struct{ Status, Message string }
	err := p.get(&answer, "api/datasources/uid", d.UID, "health")
	refused, ok := errors.AsType[*refusal](err)
	if !ok || refused.status == http.StatusForbidden {
		return "" // healthy, or the token may not ask
	}
	return fmt.Sprintf("but Grafana got no answer from ClickHouse at %s:%d (%s); give the address at which Grafana "+
		"reaches it",
		d.Host, d.Port, refused.message)
}

// merged returns the settings of theirs, overwritten by those of ours.
func merged(theirs, ours map[string]any) map[string]any {
	all := maps.Clone(theirs)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, ours)
	return all
}

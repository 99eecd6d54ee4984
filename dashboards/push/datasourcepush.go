package push

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"hooktape/dashboards"
)

// source is a data source as Grafana has it. Fields that are not named here stay as they are.
type source map[string]any

func (s source) text(key string) string { return fmt.Sprint(s[key]) }

func (s source) settings() map[string]any {
	settings, _ := s["jsonData"].(map[string]any)
	return settings
}

// dataSource creates or updates the data source.
func (p pusher) dataSource(d DataSource) (Change, error) {
	c := Change{Kind: "data source", Title: d.Name, UID: d.UID}
	var theirs source
	err := p.get(&theirs, "api/datasources/uid", d.UID)
	switch {
	case notFound(err):
		return p.put(c.as(Created), d, source{"uid": d.UID, "name": d.Name, "type": dashboards.PluginID,
			"access": "proxy"})
	case err != nil:
		return c, p.explainDataSource("read data sources", err)
	}
	c.Title = theirs.text("name")
	if theirs["type"] != dashboards.PluginID {
		return c.refused("the data source with this uid has another type (" + theirs.text("type") +
			"), so it is not hooktape's; give it another uid, or push the dashboards only"), nil
	}
	if reflect.DeepEqual(merged(theirs.settings(), d.settings()), theirs.settings()) {
		return p.put(c.as(Unchanged), d, theirs)
	}
	if theirs["readOnly"] == true {
		return c.refused("it is provisioned from a file and can only be changed there; change or delete it there, or " +
			"push the dashboards only"), nil
	}
	return p.put(c.as(Updated), d, theirs)
}

// put writes the data source. Grafana returns no passwords, so a given password is written even if nothing else
// changes.
func (p pusher) put(c Change, d DataSource, theirs source) (Change, error) {
	next := maps.Clone(theirs)
	next["jsonData"] = merged(theirs.settings(), d.settings())
	writes := c.Result != Unchanged
	if d.Password != "" && theirs["readOnly"] != true {
		next["secureJsonData"] = map[string]any{"password": d.Password}
		if !writes {
			c.Note = "the password is written again, because Grafana does not return the current one"
		}
		writes = true
	}
	if p.dry {
		return p.diff(c, theirs, next)
	}
	var err error
	switch {
	case c.Result == Created:
		err = p.call(http.MethodPost, next, nil, "api/datasources")
	case writes:
		err = p.call(http.MethodPut, next, nil, "api/datasources/uid", d.UID)
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
func (p pusher) diff(c Change, theirs, next source) (Change, error) {
	shown := func(s source) map[string]any {
		return map[string]any{"name": s["name"], "type": s["type"], "jsonData": s["jsonData"]}
	}
	before := map[string]any(nil)
	if c.Result != Created {
		before = shown(theirs)
	}
	var err error
	c.Diff, err = compare(c.UID, before, shown(next))
	return c, err
}

// health makes Grafana query ClickHouse and returns the problem, if any. The usual problem is the address: Grafana may
// need another address of ClickHouse than this machine.
func (p pusher) health(d DataSource) string {
	var answer struct{ Status, Message string }
	err := p.get(&answer, "api/datasources/uid", d.UID, "health")
	refused, ok := errors.AsType[*refusal](err)
	if !ok || refused.status == http.StatusForbidden || notFound(err) {
		return "" // healthy, or the token may not ask, or this Grafana does not know
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

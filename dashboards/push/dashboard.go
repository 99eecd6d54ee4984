package push

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	gapi "github.com/grafana/grafana-api-golang-client"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"hooktape/dashboards"
)

// dashboard creates or updates one dashboard.
func (p pusher) dashboard(d dashboard.Dashboard) (Change, error) {
	c := Change{Kind: "dashboard", Title: *d.Title, UID: *d.Uid}
	ours, err := model(d)
	if err != nil {
		return c, err
	}
	var there found
	err = p.get(&there, "api/dashboards/uid", c.UID)
	switch {
	case notFound(err):
		return p.save(c.as(Created), nil, ours)
	case err != nil:
		return c, p.explain("read dashboards", err)
	case there.Meta.FolderUID != p.folderUID:
		return c.refused(fmt.Sprintf("a dashboard with this uid is in another folder; move it to %q if it is "+
			"hooktape's, else give it another uid", p.folderUID)), nil
	case !tagged(there.Dashboard, d.Tags):
		return c.refused(fmt.Sprintf("the dashboard with this uid lacks the tag %q, so it is not hooktape's; give it "+
			"another uid", strings.Join(d.Tags, " "))), nil
	}
	switch {
	case reflect.DeepEqual(stored(there.Dashboard), ours):
		return c.as(Unchanged), nil
	case there.Meta.Provisioned:
		return c.refused("it is provisioned from a file; update the file with hooktape dashboards export"), nil
	}
	return p.save(c.as(Updated), there.Dashboard, ours)
}

// found is a dashboard as Grafana returns it. The client library's own type has no field for provisioned dashboards.
type found struct {
	Dashboard map[string]any
	Meta      struct {
		FolderUID   string
		Provisioned bool
	}
}

// save creates a dashboard, or updates theirs if Grafana still has that version.
func (p pusher) save(c Change, theirs, ours map[string]any) (Change, error) {
	if p.dry {
		var err error
		c.Diff, err = compare(c.UID, stored(theirs), ours)
		return c, err
	}
	if theirs != nil {
		ours["version"] = theirs["version"]
	}
	_, err := p.api.NewDashboard(gapi.Dashboard{Model: ours, FolderUID: p.folderUID,
		Message: "hooktape dashboards push"})
	if c, err = c.settle(err); err != nil {
		return c, p.explain("save dashboards", err)
	}
	return c, nil
}

// model returns a dashboard in the form of Grafana's API.
func model(d dashboard.Dashboard) (m map[string]any, err error) {
	text, err := dashboards.JSON(d)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("dashboard %s: %w", *d.Title, err)
	}
	return m, nil
}

// stored returns a model without the fields that Grafana sets.
func stored(m map[string]any) map[string]any {
	m = maps.Clone(m)
	delete(m, "id")
	delete(m, "version")
	return m
}

// tagged reports whether a model has all of the tags.
func tagged(m map[string]any, tags []string) bool {
	list, _ := m["tags"].([]any)
	return !slices.ContainsFunc(tags, func(tag string) bool { return !slices.Contains(list, any(tag)) })
}

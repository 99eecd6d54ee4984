package push

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// Bundle has the objects to push.
type Bundle struct {
	FolderUID  string
	Folder     string      // its title
	DataSource *DataSource // nil: Grafana's data sources are left alone
	Dashboards []dashboard.Dashboard
}

// pusher is one push.
type pusher struct {
	*Grafana
	folderUID string
	dry       bool
}

// Push pushes a bundle to Grafana or, in a dry run, returns the changes that it would make. With an error it returns
// the changes made before.
func (g *Grafana) Push(b Bundle, dry bool) (changes []Change, err error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	p := pusher{g, b.FolderUID, dry}
	var steps []func() (Change, error)
	if b.DataSource != nil {
		steps = append(steps, func() (Change, error) { return p.dataSource(*b.DataSource) })
	}
	steps = append(steps, func() (Change, error) { return p.folder(b.Folder) })
	for _, d := range b.Dashboards {
		steps = append(steps, func() (Change, error) { return p.dashboard(d) })
	}
	for _, step := range steps {
		c, err := step()
		if err != nil {
			return changes, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// folder makes the folder where it is missing. One that is there may have been renamed: that is its users' business.
func (p pusher) folder(title string) (Change, error) {
	c := Change{Kind: "folder", Title: title, UID: p.folderUID}
	folder, err := p.api.FolderByUID(p.folderUID)
	switch {
	case err == nil:
		c.Title = folder.Title
		return c.as(Unchanged), nil
	case !notFound(err):
		return c, p.explain("read folders", err)
	case p.dry:
		return c.as(Created), nil
	}
	if _, err := p.api.NewFolder(title, p.folderUID); err != nil {
		c, err := c.settle(err)
		if err == nil { // without a folder nothing can follow
			return c, fmt.Errorf("create the folder %q: %s; if another folder has this name, rename it", title, c.Note)
		}
		return c, p.explain("create a folder", err)
	}
	return c.as(Created), nil
}

package push

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// Bundle has the objects to push.
type Bundle struct {
	FolderUID  string
	Folder     string      // its title
	DataSource *DataSource // nil: push no data source
	Dashboards []dashboard.Dashboard
}

// pusher is a client during one push.
type pusher struct {
	*Grafana
	folderUID string
	dry       bool
}

// Push pushes a bundle to Grafana, or returns the changes that it would make if dry. With an error it also returns the
// changes made before.
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

// folder creates the folder if it is missing. It keeps the title of an existing folder, which users may have renamed.
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
		if err == nil { // the dashboards need the folder
			return c, fmt.Errorf("create the folder %q: %s; if another folder has this name, rename it", title, c.Note)
		}
		return c, p.explain("create a folder", err)
	}
	return c.as(Created), nil
}

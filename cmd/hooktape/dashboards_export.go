package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"hooktape/dashboards"
	"hooktape/internal/config"
)

type dashboardsExportCmd struct {
	Dir  string `arg:"" type:"path" help:"Directory for the files; made where it is missing."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// exported is one file of an export.
type exported struct {
	Result string `json:"result"` // created, updated or unchanged
	File   string `json:"file"`
	text   []byte
}

// Run writes all dashboards or none: before it writes the first, it checks that no foreign file would be overwritten.
func (c dashboardsExportCmd) Run(e *env) error {
	all, err := dashboards.All()
	if err != nil {
		return err
	}
	files := []exported{}
	for _, d := range all {
		f, err := exportOf(c.Dir, d)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if f.Result == "unchanged" {
			continue
		}
		if err := config.ReplaceFile(f.File, f.text, 0o644); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(e.stdout, files)
	}
	t := newTable(e.stdout, "RESULT", "FILE")
	for _, f := range files {
		t.row(f.Result, f.File)
	}
	return t.end()
}

// exportOf compares a dashboard with the existing file, if there is one.
func exportOf(dir string, d dashboard.Dashboard) (f exported, err error) {
	f = exported{File: filepath.Join(dir, *d.Uid+".json")}
	if f.text, err = dashboards.JSON(d); err != nil {
		return f, err
	}
	there, err := os.ReadFile(f.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Result = "created"
	case err != nil:
		return f, err
	case bytes.Equal(there, f.text):
		f.Result = "unchanged"
	case !isDashboard(there, d):
		return f, fmt.Errorf("%s is no dashboard of hooktape's, so it is not written over; move it away, or name "+
			"another directory", f.File)
	default:
		f.Result = "updated"
	}
	return f, nil
}

// isDashboard reports whether a file is an export of a dashboard, of any version.
func isDashboard(text []byte, d dashboard.Dashboard) bool {
	var there struct {
		UID  string   `json:"uid"`
		Tags []string `json:"tags"`
	}
	return json.Unmarshal(text, &there) == nil && there.UID == *d.Uid &&
		!slices.ContainsFunc(d.Tags, func(tag string) bool { return !slices.Contains(there.Tags, tag) })
}

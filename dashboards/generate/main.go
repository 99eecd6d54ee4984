// Command generate writes the dashboards to the folder json.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"hooktape/dashboards"
)

func main() {
	if err := write("json"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(dir string) error {
	all, err := dashboards.All()
	if err != nil {
		return err
	}
	for _, d := range all {
		data, err := dashboards.JSON(d)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, *d.Uid+".json"), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

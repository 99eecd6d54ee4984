package main

import "fmt"

type sourcesCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists the sources: name, tab, hook URL.
func (c sourcesCmd) Run(e *env) error {
	cfg, err := e.config()
	if err != nil {
		return err
	}
	type source struct {
		Name string `json:"name"`
		URL  string `json:"url"`
	}
	list := []source{}
	for _, s := range cfg.Sources {
		list = append(list, source{s.Name, cfg.hookURL(s)})
	}
	if c.JSON {
		return printJSON(e.stdout, list)
	}
	for _, s := range list {
		fmt.Fprintf(e.stdout, "%s\t%s\n", s.Name, s.URL)
	}
	return nil
}

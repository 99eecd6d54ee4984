// Package panels lists the dashboards' queries for tests, which run them without Grafana and compare the results with
// the truth.
package panels

import (
	"fmt"

	"hooktape/dashboards"
)

// Query is one query of a dashboard.
type Query struct {
	Dashboard string // its uid
	Title     string // title of the panel, or name of the variable
	SQL       string
	Variable  bool
}

// All returns the queries of all dashboards.
func All() (all []Query, err error) {
	boards, err := dashboards.All()
	if err != nil {
		return nil, err
	}
	for _, b := range boards {
		for _, v := range b.Templating.List {
			if v.Query != nil && v.Query.String != nil && v.Definition != nil {
				all = append(all, Query{*b.Uid, v.Name, *v.Query.String, true})
			}
		}
		for _, p := range b.Panels {
			if p.Panel == nil {
				continue
			}
			for _, target := range p.Panel.Targets {
				q, ok := target.(dashboards.Query)
				if !ok {
					return nil, fmt.Errorf("%s, %s: unsupported query of type %T", *b.Uid, *p.Panel.Title, target)
				}
				all = append(all, Query{*b.Uid, *p.Panel.Title, q.RawSQL, false})
			}
		}
	}
	return all, nil
}

package main

import "hooktape/store"

// retentionConfig is retention in the configuration.
type retentionConfig struct {
	Events   days `yaml:"events"`
	Bodies   days `yaml:"bodies"`
	Rejected days `yaml:"rejected"`
	Attempts days `yaml:"attempts"`
	Traces   days `yaml:"traces"`
}

// sourceRetentionConfig is retention of one of sources.
type sourceRetentionConfig struct {
	Events days `yaml:"events"`
	Bodies days `yaml:"bodies"`
}

func defaultRetention() retentionConfig {
	forever := days(store.Forever)
	return retentionConfig{Events: forever, Bodies: forever, Rejected: days(store.DefaultRetention.Rejected), Attempts: forever, Traces: forever}
}

// retention is what is to be in force.
func (c *config) retention() store.Retention {
	r := store.Retention{Events: store.Days(c.Retention.Events), Bodies: store.Days(c.Retention.Bodies), Rejected: store.Days(c.Retention.Rejected),
		Attempts: store.Days(c.Retention.Attempts), Traces: store.Days(c.Retention.Traces), Sources: map[string]store.SourceRetention{}}
	for _, s := range c.Sources {
		r.Sources[s.Name] = store.SourceRetention{Events: store.Days(s.Retention.Events), Bodies: store.Days(s.Retention.Bodies)}
	}
	return r
}

package main

import (
	"fmt"
	"strconv"
	"strings"

	"hooktape/store"
)

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
	return retentionConfig{forever, forever, forever, forever, forever}
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

// days is a number of days, written as 90d, or forever.
type days store.Days

// UnmarshalYAML reads days.
func (d *days) UnmarshalYAML(data []byte) error {
	text := strings.Trim(strings.TrimSpace(string(data)), `"'`)
	if text == "forever" {
		*d = days(store.Forever)
		return nil
	}
	digits, ok := strings.CutSuffix(text, "d")
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || n < 1 || n > uint64(store.MaxDays) {
		return fmt.Errorf("%q is no number of days from 1d to %dd, nor forever", text, store.MaxDays)
	}
	*d = days(n)
	return nil
}

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hooktape/event"
)

// selectionFlags choose events; the same flags serve every command that does.
type selectionFlags struct {
	Since   string   `placeholder:"AGO" help:"Received in this last span of time: 90m, 24h, 7d."`
	From    string   `placeholder:"TIME" help:"Received at or after: 2026-01-31, '2026-01-31 13:00' (in this machine's zone) or RFC 3339."`
	Until   string   `placeholder:"TIME" help:"Received before."`
	Source  []string `placeholder:"NAME" help:"From one of these sources."`
	Step    []string `placeholder:"STEP" help:"At one of these steps."`
	Kind    []string `placeholder:"KIND" help:"Of one of these kinds: flow, conversation_closed, user_profile_viewed, unknown."`
	Verdict []string `placeholder:"VERDICT" help:"With one of these verdicts: accepted, bad_signature, unknown_source, bad_token, too_large, method_not_allowed, aborted."`
}

func (f selectionFlags) selection(now time.Time) (sel event.Selection, err error) {
	sel.Sources, sel.Steps = f.Source, f.Step
	for _, k := range f.Kind {
		if !slices.Contains(event.Kinds, event.Kind(k)) {
			return sel, fmt.Errorf("--kind %q is none of %s", k, words(event.Kinds))
		}
		sel.Kinds = append(sel.Kinds, event.Kind(k))
	}
	for _, v := range f.Verdict {
		if !slices.Contains(event.Verdicts, event.Verdict(v)) {
			return sel, fmt.Errorf("--verdict %q is none of %s", v, words(event.Verdicts))
		}
		sel.Verdicts = append(sel.Verdicts, event.Verdict(v))
	}
	if f.Since != "" {
		if f.From != "" {
			return sel, fmt.Errorf("--since and --from exclude each other")
		}
		ago, err := parseSpan(f.Since)
		if err != nil {
			return sel, fmt.Errorf("--since: %w", err)
		}
		from := now.Add(-ago)
		sel.From = &from
	}
	if sel.From, err = parseTime(f.From, "--from", sel.From); err != nil {
		return sel, err
	}
	if sel.To, err = parseTime(f.Until, "--until", nil); err != nil {
		return sel, err
	}
	if sel.From != nil && sel.To != nil && !sel.From.Before(*sel.To) {
		return sel, fmt.Errorf("the selection ends (%s) before it begins (%s)", local(*sel.To), local(*sel.From))
	}
	return sel, nil
}

func words[T ~string](list []T) string {
	text := make([]string, len(list))
	for i, w := range list {
		text[i] = string(w)
	}
	return strings.Join(text, ", ")
}

// parseSpan reads Go's durations, and days.
func parseSpan(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n float64
		if _, err := fmt.Sscanf(days+";", "%f;", &n); err == nil && n > 0 {
			return time.Duration(n * 24 * float64(time.Hour)), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no span of time such as 90m, 24h or 7d", s)
	}
	return d, nil
}

func parseTime(s, flag string, otherwise *time.Time) (*time.Time, error) {
	if s == "" {
		return otherwise, nil
	}
	if t, ok := readTime(s); ok {
		return &t, nil
	}
	return nil, fmt.Errorf("%s: %q is no time such as 2026-01-31, '2026-01-31 13:00' or 2026-01-31T13:00:00+03:00", flag, s)
}

// readTime takes a time without a zone as one of this machine's.
func readTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

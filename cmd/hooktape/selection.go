package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones are named where no system knows them

	"github.com/google/uuid"

	"hooktape/event"
	"hooktape/replay/api"
)

// selectionFlags choose events; the same flags serve every command that does. Flags of one name add up: any of their
// values matches.
type selectionFlags struct {
	Since         string   `group:"Which events" placeholder:"AGO" help:"Received in this last span of time: 90m, 24h, 7d."`
	From          string   `group:"Which events" placeholder:"TIME" help:"Received at or after: 13:00 (today), 2026-01-31, '2026-01-31 13:00' (in this machine's zone), '2026-01-31 13:00 Europe/Moscow' or RFC 3339. Of a time that clocks show twice the first."`
	Until         string   `group:"Which events" placeholder:"TIME" help:"Received before. Of a time that clocks show twice the second."`
	Source        []string `group:"Which events" sep:"none" placeholder:"NAME" help:"From this source."`
	Step          []string `group:"Which events" sep:"none" placeholder:"STEP" help:"At this step; '' for none."`
	Kind          []string `group:"Which events" sep:"none" placeholder:"KIND" help:"Of this kind: flow, conversation_closed, user_profile_viewed, unknown."`
	Verdict       []string `group:"Which events" sep:"none" placeholder:"VERDICT" help:"With this verdict: accepted, bad_signature, unknown_source, bad_token, too_large, method_not_allowed, aborted, malformed."`
	Channel       []string `group:"Which events" sep:"none" placeholder:"CHANNEL" help:"Through this channel: telegram, vk, …"`
	Subscriber    []string `group:"Which events" sep:"none" placeholder:"ID" help:"About this person: BotHelp's id, or the messenger's."`
	UTMSource     []string `name:"utm-source" group:"Which events" sep:"none" placeholder:"VALUE" help:"With this utm_source, in any spelling."`
	UTMMedium     []string `name:"utm-medium" group:"Which events" sep:"none" placeholder:"VALUE" help:"With this utm_medium, in any spelling."`
	UTMCampaign   []string `name:"utm-campaign" group:"Which events" sep:"none" placeholder:"VALUE" help:"With this utm_campaign, in any spelling."`
	UTMContent    []string `name:"utm-content" group:"Which events" sep:"none" placeholder:"VALUE" help:"With this utm_content, in any spelling."`
	UTMTerm       []string `name:"utm-term" group:"Which events" sep:"none" placeholder:"VALUE" help:"With this utm_term, in any spelling."`
	Field         []string `group:"Which events" sep:"none" placeholder:"NAME=VALUE" help:"With this value of this custom field, in any spelling; of several, all must match."`
	Text          string   `group:"Which events" placeholder:"TEXT" help:"With all of these words, in any order and spelling, in what was read from the request; \"in quotes\" as one."`
	ID            []string `name:"id" group:"Which events" sep:"none" placeholder:"ID" help:"This event."`
	IDsFile       string   `name:"ids-file" group:"Which events" placeholder:"FILE" help:"Events whose ids stand in this file, one a line; - reads them from standard input."`
	UndeliveredTo string   `group:"Which events" placeholder:"ENDPOINT" help:"Never taken by this endpoint, live or in a replay."`
	FailedAt      string   `group:"Which events" placeholder:"ENDPOINT" help:"Whose last delivery to this endpoint failed for good."`
	Where         string   `group:"Which events" placeholder:"EXPRESSION" help:"For what no flag covers: a ClickHouse expression over the columns of events, such as 'length(body) > 10000'."`
}

func (f selectionFlags) selection(now time.Time) (sel event.Selection, err error) {
	sel = event.Selection{Sources: f.Source, Steps: f.Step, Channels: f.Channel, Subscribers: f.Subscriber, UTMSources: f.UTMSource,
		UTMMediums: f.UTMMedium, UTMCampaigns: f.UTMCampaign, UTMContents: f.UTMContent, UTMTerms: f.UTMTerm, Text: f.Text,
		UndeliveredTo: f.UndeliveredTo, FailedAt: f.FailedAt, Where: f.Where}
	if sel.Kinds, err = oneOf("--kind", f.Kind, event.Kinds); err != nil {
		return sel, err
	}
	if sel.Verdicts, err = oneOf("--verdict", f.Verdict, event.Verdicts); err != nil {
		return sel, err
	}
	if err := f.times(&sel, now); err != nil {
		return sel, err
	}
	if sel.Fields, err = fields(f.Field); err != nil {
		return sel, err
	}
	if sel.IDs, err = f.ids(); err != nil {
		return sel, err
	}
	if faults := api.CheckSelection(sel); len(faults) > 0 {
		return sel, fmt.Errorf("the selection: %s", faults[0].Message)
	}
	return sel, nil
}

// oldTo refuses --to of commands that send nothing anywhere.
type oldTo struct {
	To string `hidden:"" help:"The old name of --until."`
}

// Validate implements kong.Validatable.
func (o oldTo) Validate() error {
	if o.To != "" {
		return fmt.Errorf("--to is where a replay goes to; the end of the time is --until %s", quoteWord(o.To))
	}
	return nil
}

// quoteWord writes a word as a shell takes it.
func quoteWord(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return strings.ContainsRune(" '\"\\$`&|;<>()*?#~", r) || r < ' ' }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func oneOf[T ~string](flag string, values []string, known []T) (list []T, err error) {
	for _, v := range values {
		if !slices.Contains(known, T(v)) {
			return nil, fmt.Errorf("%s %q is none of %s", flag, v, api.Words(known))
		}
		list = append(list, T(v))
	}
	return list, nil
}

func (f selectionFlags) times(sel *event.Selection, now time.Time) (err error) {
	if f.Since != "" {
		if f.From != "" {
			return fmt.Errorf("--since and --from exclude each other")
		}
		ago, err := api.ParseSpan(f.Since)
		if err != nil {
			return fmt.Errorf("--since: %w", err)
		}
		from := now.Add(-ago)
		sel.From = &from
	}
	if sel.From, err = parseTime(f.From, "--from", now, sel.From); err != nil {
		return err
	}
	sel.Until, err = parseTime(f.Until, "--until", now, nil)
	return err
}

// fields reads NAME=VALUE.
func fields(pairs []string) (map[string]string, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	fields := map[string]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := fields[name]; !ok || name == "" || twice {
			return nil, fmt.Errorf("--field %q must be NAME=VALUE, each name once", pair)
		}
		fields[name] = value
	}
	return fields, nil
}

func (f selectionFlags) ids() (ids []uuid.UUID, err error) {
	for _, text := range f.ID {
		id, err := uuid.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("--id %q is no event id", text)
		}
		ids = append(ids, id)
	}
	if f.IDsFile == "" {
		return ids, nil
	}
	file := os.Stdin
	if f.IDsFile != "-" {
		if file, err = os.Open(f.IDsFile); err != nil {
			return nil, fmt.Errorf("--ids-file: %w", err)
		}
		defer file.Close()
	}
	more, err := readIDs(file)
	if err != nil {
		return nil, fmt.Errorf("--ids-file %s: %w", f.IDsFile, err)
	}
	return append(ids, more...), nil
}

// readIDs reads ids, one a line; empty lines and those after a # are left out.
func readIDs(r io.Reader) (ids []uuid.UUID, err error) {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, err := uuid.Parse(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %.60q is no event id", n, line)
		}
		ids = append(ids, id)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("there is no id in it") // an empty list would select everything
	}
	return ids, nil
}

// parseTime reads the value of a flag. Of a time that clocks show twice the flag --until means the second, others the first.
func parseTime(s, flag string, now time.Time, otherwise *time.Time) (*time.Time, error) {
	if s == "" {
		return otherwise, nil
	}
	first, last, ok := readTime(s, now)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: %q is no time such as 13:00, 2026-01-31, '2026-01-31 13:00', '2026-01-31 13:00 Europe/Moscow' or 2026-01-31T13:00:00+03:00", flag, s)
	case flag == "--until":
		return &last, nil
	}
	return &first, nil
}

var (
	zonedLayouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04 Z07:00", "2006-01-02T15:04Z07:00"}
	plainLayouts = []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"}
	clockLayouts = []string{"15:04:05", "15:04"}
)

// readTime takes a time without a zone as one of this machine's, and one without a day as today's. It returns the first and the
// last moment that the text may mean, see api.LocalTimes.
func readTime(s string, now time.Time) (first, last time.Time, ok bool) {
	for _, layout := range zonedLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, t, true
		}
	}
	zone := time.Local
	if i := strings.LastIndexByte(s, ' '); i > 0 {
		if named, err := time.LoadLocation(s[i+1:]); err == nil && s[i+1:] != "" {
			s, zone = s[:i], named
		}
	}
	for _, layout := range plainLayouts {
		if wall, err := time.Parse(layout, s); err == nil {
			first, last = api.LocalTimes(wall, zone)
			return first, last, true
		}
	}
	for _, layout := range clockLayouts {
		if clock, err := time.Parse(layout, s); err == nil {
			today := now.In(zone)
			first, last = api.LocalTimes(clock.AddDate(today.Year(), int(today.Month())-1, today.Day()-1), zone)
			return first, last, true
		}
	}
	return first, last, false
}

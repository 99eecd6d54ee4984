package main

import (
	"bufio"
	"fmt"
	"io"
	"net/url"
	"os"
	"reflect"
	"strings"
	"time"
	_ "time/tzdata" // zones are named where no system knows them

	"github.com/alecthomas/kong"
	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// selectionFlags are the flags that select events. A repeated flag matches any of its values.
type selectionFlags struct {
	kong.Plugins        // a struct with a field for each of event.Filters; see newSelectionFlags
	IDsFile      string `name:"ids-file" group:"Which events (repeat a flag for several values)" placeholder:"FILE" help:"Events whose ids stand in this file, one a line; - reads them from standard input."`
}

// flagHelp adds to the help of a filter which values its flag takes that the API does not.
var flagHelp = map[string]string{
	"from": " Such as 13:00 (today), 2026-01-31, '2026-01-31 13:00' (in this machine's zone), '2026-01-31 13:00 " +
		"Europe/Moscow' or RFC 3339. Of a time that clocks show twice the first.",
	"until": " Of a time that clocks show twice the second.",
}

func newSelectionFlags() selectionFlags {
	return selectionFlags{Plugins: filterFlags(event.Filters, "Which events (repeat a flag for several values)")}
}

// deliveryFlags are the flags that select deliveries.
type deliveryFlags struct{ kong.Plugins }

func newDeliveryFlags() deliveryFlags {
	return deliveryFlags{filterFlags(event.DeliveryFilters, "Which deliveries (repeat a flag for several values)")}
}

func (f deliveryFlags) selection(e *env, now time.Time) (event.DeliverySelection, error) {
	values := filterValues(event.DeliveryFilters, f.Plugins)
	if err := wholeIDs(e, event.DeliveryFilters, values); err != nil {
		return event.DeliverySelection{}, err
	}
	if err := readTimes(event.DeliveryFilters, values, now); err != nil {
		return event.DeliverySelection{}, err
	}
	sel, faults := event.ParseDeliverySelection(values, now)
	return sel, faultOf(faults)
}

// filterFlags returns a struct with a flag for each filter.
func filterFlags(filters []event.Filter, group string) kong.Plugins {
	var fields []reflect.StructField
	for i, f := range filters {
		field := reflect.StructField{Name: fmt.Sprint("Filter", i), Type: reflect.TypeFor[string]()}
		switch {
		case f.Many():
			field.Type = reflect.TypeFor[[]string]()
		case f.IsFlag():
			field.Type = reflect.TypeFor[bool]()
		}
		field.Tag = reflect.StructTag(fmt.Sprintf(`name:%q placeholder:%q help:%q group:%q sep:"none"`,
			flagName(f.Name), f.Placeholder, f.LongHelp()+flagHelp[f.Name], group))
		fields = append(fields, field)
	}
	return kong.Plugins{reflect.New(reflect.StructOf(fields)).Interface()}
}

// flagsOf returns the flags that make a selection of events or deliveries.
func flagsOf(filters []event.Filter, sel any) (words []string) {
	for _, f := range filters {
		for _, value := range f.Values(sel) {
			if words = append(words, "--"+flagName(f.Name)); !f.IsFlag() {
				words = append(words, quoteWord(value))
			}
		}
	}
	return words
}

func flagName(filter string) string { return strings.ReplaceAll(filter, "_", "-") }

func (f selectionFlags) selection(e *env, now time.Time) (sel event.Selection, err error) {
	values := filterValues(event.Filters, f.Plugins)
	if err := wholeIDs(e, event.Filters, values); err != nil {
		return sel, err
	}
	if f.IDsFile != "" {
		ids, err := idsOf(f.IDsFile)
		if err != nil {
			return sel, fmt.Errorf("--ids-file %s: %w", f.IDsFile, err)
		}
		values["id"] = append(values["id"], ids...)
	}
	return selectionOf(values, now)
}

// filterValues returns the values of the flags that filterFlags made.
func filterValues(filters []event.Filter, of kong.Plugins) url.Values {
	values, flags := url.Values{}, reflect.ValueOf(of[0]).Elem()
	for i, filter := range filters {
		switch given := flags.Field(i).Interface().(type) {
		case []string:
			values[filter.Name] = given
		case string:
			values[filter.Name] = []string{given} // none when it is empty
		case bool:
			if given {
				values[filter.Name] = []string{"true"}
			}
		}
	}
	return values
}

// selectionOf parses a selection from the values of flags, by the names of the filters.
func selectionOf(values url.Values, now time.Time) (sel event.Selection, err error) {
	if err := readTimes(event.Filters, values, now); err != nil {
		return sel, err
	}
	sel, faults := event.ParseSelection(values, now)
	return sel, faultOf(faults)
}

// readTimes replaces times as people write them by those that filters read.
func readTimes(filters []event.Filter, values url.Values, now time.Time) error {
	for _, f := range filters {
		if !f.IsTime() {
			continue
		}
		at, err := parseTime(values.Get(f.Name), "--"+flagName(f.Name), now, nil)
		if err != nil {
			return err
		}
		if at != nil {
			values.Set(f.Name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	return nil
}

// faultOf returns the first fault of a selection as an error; nil without faults.
func faultOf(faults []event.SelectionFault) error {
	switch {
	case len(faults) == 0:
		return nil
	case faults[0].Name == "":
		return fmt.Errorf("the selection: %s", faults[0].Message)
	}
	return fmt.Errorf("--%s: %s", flagName(faults[0].Name), faults[0].Message)
}

// oldTo rejects --to, the old name of --until, in commands that send nothing.
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

// quoteWord quotes a word for a shell, if necessary.
func quoteWord(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return strings.ContainsRune(" '\"\\$`&|;<>()*?#~", r) || r < ' '
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// idsOf reads the ids from a file; - is standard input.
func idsOf(path string) ([]string, error) {
	if path == "-" {
		return readIDs(os.Stdin)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readIDs(file)
}

// readIDs reads ids, one on each line. It skips empty lines and lines that begin with #.
func readIDs(r io.Reader) (ids []string, err error) {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if uuid.Validate(line) != nil {
			return nil, fmt.Errorf("line %d: %.60q is no event id", n, line)
		}
		ids = append(ids, line)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("there is no id in it") // an empty list would select everything
	}
	return ids, nil
}

// parseTime parses the value of a flag. Of a time that clocks show twice, --until means the second and other flags the
// first.
func parseTime(s, flag string, now time.Time, otherwise *time.Time) (*time.Time, error) {
	if s == "" {
		return otherwise, nil
	}
	first, last, ok := readTime(s, now)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: %q is no time such as 13:00, 2026-01-31, '2026-01-31 13:00', '2026-01-31 13:00 "+
			"Europe/Moscow' or 2026-01-31T13:00:00+03:00", flag, s)
	case strings.HasSuffix(flag, "until"):
		return &last, nil
	}
	return &first, nil
}

var (
	zonedLayouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00",
		"2006-01-02 15:04 Z07:00", "2006-01-02T15:04Z07:00"}
	plainLayouts = []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04",
		"2006-01-02"}
	clockLayouts = []string{"15:04:05", "15:04"}
)

// readTime parses a time. Without a zone it is in this machine's, without a day it is today. It returns the first and
// the last moment that the text may mean; see api.LocalTimes.
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

// Package panels expands the dashboards' queries as Grafana and its ClickHouse plugin do. Tests run them without
// Grafana and compare the results with the truth.
package panels

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// View has the choices of a viewer.
type View struct {
	From, To time.Time
	// Interval is the time between two points, which Grafana computes from a panel's width.
	Interval time.Duration
	// Zone replaces ${__timezone}; "" leaves it in the query, as Grafana before 10 does.
	Zone string
	// Values are the values of variables. A missing variable means all.
	Values map[string][]string
	// Plugin is the version of the ClickHouse plugin whose macros are used: 3 or 4.
	Plugin int
}

var (
	variable = regexp.MustCompile(`\$\{(\w+)(?::(\w+))?\}`)
	macro    = regexp.MustCompile(`\$__(timeFilter|timeInterval|fromTime|toTime|interval_s)\b(?:\(([^()]*(?:\([^()]*\)[^()]*)*)\))?`)
	left     = regexp.MustCompile(`\$__\w+|\$\{(\w+)\}?`)
)

// Expand returns the query that ClickHouse receives. Grafana replaces variables first; then the plugin expands macros,
// including any that came from a variable's value.
func (v View) Expand(sql string) (string, error) {
	var failed error
	sql = variable.ReplaceAllStringFunc(sql, func(found string) string {
		part := variable.FindStringSubmatch(found)
		text, err := v.value(part[1], part[2])
		if err != nil {
			failed = err
		}
		return text
	})
	if failed != nil {
		return "", failed
	}
	sql = macro.ReplaceAllStringFunc(sql, func(found string) string {
		part := macro.FindStringSubmatch(found)
		text, err := v.macro(part[1], part[2])
		if err != nil {
			failed = err
		}
		return text
	})
	if rest := left.FindString(strings.ReplaceAll(sql, "${__timezone}", "")); failed == nil && rest != "" {
		failed = fmt.Errorf("%s is left in the query", rest)
	}
	return sql, failed
}

// value returns Grafana's replacement for a variable (formatRegistry.ts, and scenes' formatRegistry.ts from 10 on).
func (v View) value(name, format string) (string, error) {
	if name == "__timezone" {
		if v.Zone == "" {
			return "${__timezone}", nil
		}
		return v.Zone, nil
	}
	if format != "percentencode" {
		return "", fmt.Errorf("${%s:%s} is not safe: a query takes percentencode alone", name, format)
	}
	values, chosen := v.Values[name]
	switch {
	case !chosen && v.Plugin == 3:
		return "*", nil // Grafana 9.4 inserts the value of "all" unchanged
	case !chosen:
		return encode("*"), nil
	case len(values) == 1:
		return encode(values[0]), nil
	}
	return encode("{" + strings.Join(values, ",") + "}"), nil
}

// encode is Grafana's encodeURIComponentStrict.
func encode(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// Key returns the value of a list variable for a text of an event, as the variables' queries compute it.
func Key(text string) string {
	if text == "" {
		return "(none)"
	}
	return encode(text)
}

// macro expands a macro as the plugin does: pkg/macros/macros.go of version 3.3.0 and of 4.
func (v View) macro(name, argument string) (string, error) {
	if v.Plugin == 3 && strings.Contains(argument, ",") {
		return "", fmt.Errorf("$__%s(%s): version 3 splits at the comma", name, argument)
	}
	from, to := v.From.Unix(), v.To.Unix()
	switch {
	case name == "fromTime" && v.Plugin == 3:
		return fmt.Sprintf("toDateTime(intDiv(%d,1000))", v.From.UnixMilli()), nil
	case name == "toTime" && v.Plugin == 3:
		return fmt.Sprintf("toDateTime(intDiv(%d,1000))", v.To.UnixMilli()), nil
	case name == "fromTime":
		return fmt.Sprintf("toDateTime(%d)", from), nil
	case name == "toTime":
		return fmt.Sprintf("toDateTime(%d)", to), nil
	case name == "interval_s":
		return fmt.Sprint(int(max(v.Interval.Seconds(), 1))), nil
	case argument == "":
		return "", fmt.Errorf("$__%s has no argument", name)
	case name == "timeFilter" && v.Plugin == 3:
		return fmt.Sprintf("%s >= '%d' AND %s <= '%d'", argument, from, argument, to), nil
	case name == "timeFilter":
		return fmt.Sprintf("%s >= toDateTime(%d) AND %s <= toDateTime(%d)", argument, from, argument, to), nil
	}
	return fmt.Sprintf("toStartOfInterval(toDateTime(%s), INTERVAL %d second)", argument, int(max(v.Interval.Seconds(), 1))), nil
}

package dashboards

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// View has the choices of a viewer: of Grafana's, or of the analytics page of the console.
type View struct {
	From, To time.Time // both included, in whole seconds
	// Interval is what Grafana takes for a panel's width: the time of a point.
	Interval time.Duration
	// Zone replaces ${__timezone}; "" leaves it in the query, as Grafana before 10 does.
	Zone string
	// Values are the values of variables. A missing variable means all.
	Values map[string][]string
	// Plugin is the version of the ClickHouse plugin whose macros are used: 3, or 4 if it is 0.
	Plugin int
}

var (
	variable = regexp.MustCompile(`\$\{(\w+)(?::(\w+))?\}`)
	macro    = regexp.MustCompile(`\$__(timeFilter|timeInterval|fromTime|toTime|interval_s)\b(?:\(([^()]*(?:\([^()]*\)[^()]*)*)\))?`)
	left     = regexp.MustCompile(`\$__\w+|\$\{(\w+)\}?`)
	notAZone = regexp.MustCompile(`[^\w/+ -]`)
)

// SQL returns the text of a file of sql by its name, such as conversion/funnel.
func SQL(name string) (string, error) {
	text, err := files.ReadFile("sql/" + name + ".sql")
	return strings.TrimSpace(string(text)), err
}

var (
	comment = regexp.MustCompile(`(?m)^\s*--.*\n`)
	indent  = regexp.MustCompile(`(?m)^[ \t]+`)
	title   = regexp.MustCompile(`"[^"\n]*"`)
	// journeys is the call of the view for the range itself, anyJourneys for any range.
	journeys    = regexp.MustCompile(`journeys\(from = toUnixTimestamp\(\$__fromTime\), [^()]*toUnixTimestamp\(\$__toTime\)[^()]*\)`)
	anyJourneys = regexp.MustCompile(`(?s)journeys\(.*?'\)`)
	// journeyColumn matches a column of the view.
	journeyColumn = regexp.MustCompile(`\b(channel|reached|lead|converted|visited_at|lead_at|contact|tagged|tags|utm_(source|medium|campaign|content|term))\b`)
)

// Together returns one query for several files of sql, which computes the view journeys for the range once instead of
// once for each file, with the columns that the files use. A row of its result has the name of a file and, as a JSON
// object, a row of that file's query; in the names of columns "_" replaces a space. The query needs ClickHouse's
// settings enable_materialized_cte and enable_named_columns_in_function_tuple.
func Together(names ...string) (string, error) {
	var call string
	used := map[string]bool{}
	queries := make([]string, len(names))
	for i, name := range names {
		sql, err := SQL(name)
		if err != nil {
			return "", err
		}
		sql = indent.ReplaceAllString(comment.ReplaceAllString(sql, ""), "")
		sql = title.ReplaceAllStringFunc(sql, func(text string) string { return strings.ReplaceAll(text, " ", "_") })
		found := journeys.FindString(sql)
		if call = cmp.Or(call, found); found != call || found == "" {
			return "", fmt.Errorf("%s does not call the view journeys as %s does", name, names[0])
		}
		sql = strings.ReplaceAll(sql, call, "j")
		for _, column := range journeyColumn.FindAllString(anyJourneys.ReplaceAllString(sql, ""), -1) {
			used[column] = true
		}
		queries[i] = fmt.Sprintf("SELECT '%s' AS file, toJSONString(tuple(*)) AS line FROM (\n%s\n)", name, sql)
	}
	return "WITH j AS MATERIALIZED (SELECT " + strings.Join(slices.Sorted(maps.Keys(used)), ", ") + " FROM " + call +
		")\n" + strings.Join(queries, "\nUNION ALL\n"), nil
}

// Expand returns a query as ClickHouse gets it. Values are percent-encoded, so none can break out of its quotes.
//
// It works as Grafana and its plugin do. First Grafana replaces variables, then the plugin its macros, in whatever
// text is there by then: the order that lets a value in that looks like a macro.
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
		switch {
		case v.Zone == "":
			return "${__timezone}", nil
		case notAZone.MatchString(v.Zone):
			return "", fmt.Errorf("invalid time zone %q", v.Zone)
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

// encode is encodeURIComponentStrict of Grafana's: everything but letters, digits and -_.~ is encoded.
func encode(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

// Key returns the value of a list variable for a text of an event, as the queries of variables compute it.
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
	return fmt.Sprintf("toStartOfInterval(toDateTime(%s), INTERVAL %d second)", argument,
		int(max(v.Interval.Seconds(), 1))), nil
}

package api

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hooktape/event"
)

// SelectionQuery is an event.Selection as query parameters. The fields are for the document alone: what is read is the
// raw query, so that an empty value (events without a step) is a value, and one that cannot be read is an error.
type SelectionQuery struct {
	From          string   `query:"from" doc:"Received at or after this time, RFC 3339." example:"2026-01-31T13:00:00+03:00"`
	Until         string   `query:"until" doc:"Received before this time, RFC 3339."`
	To            string   `query:"to" doc:"The old name of until."`
	Since         string   `query:"since" doc:"Received in this last span of time; in place of from." example:"2h"`
	Source        []string `query:"source,explode" doc:"From one of these sources."`
	Step          []string `query:"step,explode" doc:"At one of these steps; empty for none."`
	Kind          []string `query:"kind,explode" doc:"Of one of these kinds: flow, conversation_closed, user_profile_viewed, unknown."`
	Verdict       []string `query:"verdict,explode" doc:"With one of these verdicts: accepted, bad_signature, unknown_source, bad_token, too_large, method_not_allowed, aborted, malformed."`
	Channel       []string `query:"channel,explode" doc:"Through one of these channels, such as telegram."`
	Subscriber    []string `query:"subscriber,explode" doc:"About one of these people: BotHelp's id, or the messenger's."`
	UTMSource     []string `query:"utm_source,explode" doc:"With one of these values of utm_source, in any spelling (vk is VK)."`
	UTMMedium     []string `query:"utm_medium,explode" doc:"With one of these values of utm_medium, in any spelling (vk is VK)."`
	UTMCampaign   []string `query:"utm_campaign,explode" doc:"With one of these values of utm_campaign, in any spelling (vk is VK)."`
	UTMContent    []string `query:"utm_content,explode" doc:"With one of these values of utm_content, in any spelling (vk is VK)."`
	UTMTerm       []string `query:"utm_term,explode" doc:"With one of these values of utm_term, in any spelling (vk is VK)."`
	Field         []string `query:"field,explode" doc:"With this value of this custom field, in any spelling: name=value." example:"[\"age=21\"]"`
	Text          string   `query:"text" doc:"With all of these words, in any order and spelling, in what was read from the request (of a rejected one: in its path and body). In double quotes: as one. Of phone numbers the digits count."`
	ID            []string `query:"id,explode" doc:"One of these events."`
	UndeliveredTo string   `query:"undelivered_to" doc:"Never taken by this endpoint: a configured name, or a URL."`
	FailedAt      string   `query:"failed_at" doc:"Whose last delivery to this endpoint failed for good."`
	Where         string   `query:"where" doc:"For what nothing else covers: a ClickHouse expression over the columns of the table events. Needs the role admin." example:"length(body) > 10000"`

	selection event.Selection
}

// Resolve implements huma.Resolver.
func (q *SelectionQuery) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return []error{&huma.ErrorDetail{Location: "query", Message: "is not written as a query: " + err.Error()}}
	}
	sel, faults := ParseSelection(values, time.Now())
	q.selection = sel
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = &huma.ErrorDetail{Location: f.Location, Message: f.Message}
	}
	return errs
}

// ParseSelection reads a selection from the query parameters of the API, and says what is wrong with them. A span of time
// (since) counts back from now.
func ParseSelection(values url.Values, now time.Time) (sel event.Selection, faults []Fault) {
	r := queryReader{values: values}
	sel = event.Selection{
		Sources: values["source"], Steps: values["step"], Channels: values["channel"], Subscribers: values["subscriber"],
		UTMSources: values["utm_source"], UTMMediums: values["utm_medium"], UTMCampaigns: values["utm_campaign"],
		UTMContents: values["utm_content"], UTMTerms: values["utm_term"], Text: r.one("text"),
		UndeliveredTo: r.one("undelivered_to"), FailedAt: r.one("failed_at"), Where: r.one("where"),
		From: r.time("from"), Until: r.until(), Kinds: words(&r, "kind", event.Kinds), Verdicts: words(&r, "verdict", event.Verdicts),
	}
	if since := r.one("since"); since != "" {
		ago, err := ParseSpan(since)
		from := now.Add(-ago)
		r.unless(err == nil, "since", "%v", err)
		r.unless(sel.From == nil, "since", "since and from exclude each other")
		sel.From = &from
	}
	for _, text := range values["id"] {
		id, err := uuid.Parse(text)
		r.unless(err == nil, "id", "%q is no event id", text)
		sel.IDs = append(sel.IDs, id)
	}
	for _, pair := range values["field"] {
		name, value, ok := strings.Cut(pair, "=")
		r.unless(ok && name != "", "field", "%q must be name=value", pair)
		if sel.Fields == nil {
			sel.Fields = map[string]string{}
		}
		_, twice := sel.Fields[name]
		r.unless(!twice, "field", "%q is there twice; a field can have one value", name)
		sel.Fields[name] = value
	}
	return sel, append(r.faults, CheckSelection(sel)...)
}

// CheckSelection says what in a selection can match nothing by a mistake of its maker.
func CheckSelection(sel event.Selection) (faults []Fault) {
	if sel.From != nil && sel.Until != nil && !sel.From.Before(*sel.Until) {
		faults = append(faults, Fault{"selection", fmt.Sprintf("it ends (%s) before it begins (%s)",
			sel.Until.Format(time.RFC3339), sel.From.Format(time.RFC3339))})
	}
	// Most likely a list that a program has computed.
	for field, value := range reflect.ValueOf(sel).Fields() {
		if value.Kind() == reflect.Slice && !value.IsNil() && value.Len() == 0 {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			faults = append(faults, Fault{"selection." + name, "it is an empty list, which would select everything; leave it out for that"})
		}
	}
	if len(sel.IDs) > maxIDs {
		faults = append(faults, Fault{"selection", fmt.Sprintf("it names %d events; at most %d can be named by their ids", len(sel.IDs), maxIDs)})
	}
	return faults
}

// maxIDs is how many events can be named one by one.
const maxIDs = 100_000

// EncodeSelection is the opposite of [ParseSelection].
func EncodeSelection(sel event.Selection) url.Values {
	v := url.Values{}
	add := func(name string, values ...string) {
		for _, value := range values {
			v.Add(name, value)
		}
	}
	one := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	if sel.From != nil {
		one("from", sel.From.Format(time.RFC3339Nano))
	}
	if sel.Until != nil {
		one("until", sel.Until.Format(time.RFC3339Nano))
	}
	add("source", sel.Sources...)
	add("step", sel.Steps...)
	for _, kind := range sel.Kinds {
		add("kind", string(kind))
	}
	for _, verdict := range sel.Verdicts {
		add("verdict", string(verdict))
	}
	for _, id := range sel.IDs {
		add("id", id.String())
	}
	add("channel", sel.Channels...)
	add("subscriber", sel.Subscribers...)
	add("utm_source", sel.UTMSources...)
	add("utm_medium", sel.UTMMediums...)
	add("utm_campaign", sel.UTMCampaigns...)
	add("utm_content", sel.UTMContents...)
	add("utm_term", sel.UTMTerms...)
	for name, value := range sel.Fields {
		add("field", name+"="+value)
	}
	one("text", sel.Text)
	one("undelivered_to", sel.UndeliveredTo)
	one("failed_at", sel.FailedAt)
	one("where", sel.Where)
	return v
}

// queryReader reads query parameters and collects what is wrong with them.
type queryReader struct {
	values url.Values
	faults []Fault
}

func (r *queryReader) unless(ok bool, name, format string, args ...any) {
	if !ok {
		r.faults = append(r.faults, Fault{"query." + name, fmt.Sprintf(format, args...)})
	}
}

// one reads a parameter that may stand there once.
func (r *queryReader) one(name string) string {
	r.unless(len(r.values[name]) < 2, name, "may be given once")
	return r.values.Get(name)
}

func (r *queryReader) time(name string) *time.Time {
	text := r.one(name)
	if text == "" {
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	r.unless(err == nil, name, "%q is no time such as 2026-01-31T13:00:00+03:00", text)
	return &t
}

// until reads the end of the time of receiving, which was called to.
func (r *queryReader) until() *time.Time {
	until, to := r.time("until"), r.time("to")
	if until == nil {
		return to
	}
	r.unless(to == nil || to.Equal(*until), "to", "until and to, its old name, differ: give until alone")
	return until
}

func words[T ~string](r *queryReader, name string, known []T) (list []T) {
	for _, text := range r.values[name] {
		r.unless(slices.Contains(known, T(text)), name, "%q is none of %s", text, Words(known))
		list = append(list, T(text))
	}
	return list
}

// Words lists words for a sentence.
func Words[T ~string](list []T) string {
	text := make([]string, len(list))
	for i, w := range list {
		text[i] = string(w)
	}
	return strings.Join(text, ", ")
}

// ParseSpan reads a span of time: as Go writes them, or in days.
func ParseSpan(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n > 0 && n <= 36500 {
			return time.Duration(n * 24 * float64(time.Hour)), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no span of time such as 90m, 24h or 7d", s)
	}
	return d, nil
}

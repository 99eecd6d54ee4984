package console

import (
	"net/http"
	"net/url"
	"slices"

	"hooktape/internal/event"
	"hooktape/web/api"
)

func subscriberURL(id string) string { return "/subscribers/" + url.PathEscape(id) }

// timelineSize is the number of events on the page of a subscriber.
const timelineSize = 100

type subscriberPage struct {
	ID       string
	Name     string
	Facts    []pair
	Profile  string // the address in the messenger; empty unless it is a web address
	Bothelp  string // the address in BotHelp
	Tags     []pair // the UTM tags of the first and the last tagged event
	Fields   []pair
	Timeline []step
	Next     string // the address of older events
	All      string // the address of the same events in the list
}

// step is an event of the timeline.
type step struct {
	row
	After   string // the time since the previous event
	Tags    string
	Changes []change // of the subscriber's data since the previous event
}

func showSubscriber(v *visit) error {
	id := v.PathValue("id")
	found, err := v.direct.Events(v.Context(), event.Selection{Subscribers: []string{id}}, timelineSize,
		v.URL.Query().Get("cursor"))
	if err != nil {
		return err
	}
	if len(found.Events) == 0 {
		return api.Problemf(http.StatusNotFound,
			"there is no event of a subscriber %q: want the complete id of BotHelp or of the messenger", id)
	}
	p := subscriberPage{ID: id, All: link("/", url.Values{"subscriber": {id}})}
	if found.Next != "" {
		p.Next = subscriberURL(id) + "?" + url.Values{"cursor": {found.Next}}.Encode()
	}
	rows, err := v.rows(found.Events, []column{{Name: "deliveries"}})
	if err != nil {
		return err
	}
	for i, r := range rows {
		s := step{row: r, Tags: tagsOf(r.Event)}
		if i+1 < len(rows) {
			s.After = span(r.ReceivedAt.Sub(rows[i+1].ReceivedAt))
		}
		if before := slices.IndexFunc(rows[i+1:], func(older row) bool {
			return older.Kind == event.KindFlow
		}); before >= 0 {
			s.Changes = changed(rows[i+1+before].Event, r.Event)
		}
		p.Timeline = append(p.Timeline, s)
	}
	if v.URL.Query().Has("cursor") { // the facts come from the newest events
		if found, err = v.direct.Events(v.Context(), event.Selection{Subscribers: []string{id}}, timelineSize,
			""); err != nil {
			return err
		}
	}
	p.describe(v, found.Events)
	if p.Tags, err = v.touches(id); err != nil {
		return err
	}
	return v.show("subscriber", "Subscriber "+id, p)
}

// factNames are the fields that the page shows as facts.
var factNames = []string{"name", "first_name", "last_name", "phone", "email", "messenger_username", "bothelp_user_id",
	"messenger_user_id", "channel", "cuid", "ref", "created_at", "first_contact_at", "last_contact_at",
	"conversations_count"}

// describe sets the facts: the newest value of each field.
func (p *subscriberPage) describe(v *visit, events []api.Event) {
	newest := func(of func(api.Event) string) string {
		for _, e := range events {
			if value := of(e); value != "" {
				return value
			}
		}
		return ""
	}
	for _, name := range factNames {
		if value := newest(func(e api.Event) string { return e.Decoded[name] }); value != "" {
			p.Facts = append(p.Facts, pair{name, value})
		}
	}
	p.Name = newest(func(e api.Event) string { return row{Event: e}.Person() })
	link := newest(func(e api.Event) string { return e.Decoded["profile_link"] })
	if u, err := url.Parse(link); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
		p.Profile = link
	} else if link != "" {
		p.Facts = append(p.Facts, pair{"profile_link", link})
	}
	if id := newest(func(e api.Event) string {
		return e.Decoded["bothelp_user_id"]
	}); id != "" && v.BothelpAccount != "" {
		p.Bothelp = "https://" + v.BothelpAccount + ".bothelp.io/flow2/people/" + url.PathEscape(id)
	}
	fields := map[string]string{}
	for _, e := range slices.Backward(events) {
		for name, value := range e.Fields {
			fields[name] = value
		}
	}
	p.Fields = sorted(fields)
}

// touches returns the UTM tags of the subscriber's first and last tagged event.
func (v *visit) touches(id string) ([]pair, error) {
	first, last, err := v.direct.Touches(v.Context(), id)
	if err != nil || first == nil || last == nil {
		return nil, err
	}
	return []pair{{"first", tagsOf(*first)}, {"last", tagsOf(*last)}}, nil
}

var tagNames = []string{"utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"}

// tagsOf returns an event's UTM tags on one line.
func tagsOf(e api.Event) (text string) {
	for _, name := range tagNames {
		if value := e.Decoded[name]; value != "" {
			text += " · " + value
		}
	}
	return text[min(len(text), len(" · ")):]
}

// changed returns the changes of the subscriber's data between two events of a flow. Events of a chat contain little
// data, so they change nothing.
func changed(before, after api.Event) (list []change) {
	if after.Kind != event.KindFlow {
		return nil
	}
	for _, name := range factNames {
		if name == "last_contact_at" || name == "conversations_count" {
			continue // changes with each event
		}
		if was, is := before.Decoded[name], after.Decoded[name]; was != is {
			list = append(list, change{name, was, is, was == "", is == ""})
		}
	}
	for _, f := range sorted(after.Fields) {
		if was, there := before.Fields[f.Name]; !there || was != f.Value {
			list = append(list, change{f.Name, was, f.Value, !there, false})
		}
	}
	for _, f := range sorted(before.Fields) {
		if _, there := after.Fields[f.Name]; !there {
			list = append(list, change{f.Name, f.Value, "", false, true})
		}
	}
	return list
}

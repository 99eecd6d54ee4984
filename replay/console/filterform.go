package console

import (
	"net/url"

	"hooktape/event"
)

// preset is a span of time to choose.
type preset struct {
	Label, URL string
	Chosen     bool
}

func presetsOf(f filters) (list []preset) {
	for _, p := range []struct{ label, since string }{{"15 min", "15m"}, {"1 h", "1h"}, {"24 h", "24h"}, {"7 d", "7d"}, {"30 d", "30d"}, {"all", ""}} {
		values := f.without("since", "from", "until")
		if p.since != "" {
			values.Set("since", p.since)
		}
		list = append(list, preset{p.label, link("/", values), f.Get("since") == p.since && f.From == nil == (p.since == "") && f.Until == nil})
	}
	return list
}

// filterForm is what the form of filters offers.
type filterForm struct {
	Sources, Endpoints []string
	Kinds              []event.Kind
	Verdicts           []event.Verdict
	Keep               url.Values // goes on being set
	Text, Where        string
	Undelivered        string
	Failed             string
	From, Until        string // for inputs of the type datetime-local
}

func (v *visit) filterForm(f filters) filterForm {
	form := filterForm{Endpoints: v.Service.EndpointNames(), Kinds: event.Kinds, Verdicts: event.Verdicts,
		Keep: f.without("text", "where", "undelivered_to", "failed_at"), Text: f.Text, Where: f.Where, Undelivered: f.UndeliveredTo, Failed: f.FailedAt}
	for _, s := range v.Sources() {
		form.Sources = append(form.Sources, s.Name)
	}
	if f.From != nil && !f.Has("since") {
		form.From = f.From.In(v.zone).Format(inputTime)
	}
	if f.Until != nil {
		form.Until = f.Until.In(v.zone).Format(inputTime)
	}
	return form
}

package console

import (
	"crypto/rand"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// deliveryList is a list of deliveries and the groups of those that failed. It is a page of its own, and a part of the
// pages of a replay and of an endpoint.
type deliveryList struct {
	deliveryFilters
	Path       string // of the page that has the list
	Tabs       []preset
	Presets    []preset
	Chips      []chip
	Inputs     []input    // of the form of filters
	Keep       url.Values // the filters that the form keeps
	Groups     []failureGroup
	Failed     uint64 // deliveries in all groups that were not resolved later
	Recent     bool   // the groups are of the last days only
	groupsFrom time.Time
	Rows       []delivery
	Reached    moment // how far back an unfinished search came
	Next       string // the address of older deliveries
	Newest     string // the address of the first page; empty on it
	MayRetry   bool
	Key        string // the Idempotency-Key of a retry
}

// deliveryFilters is the selection of a list of deliveries.
type deliveryFilters struct {
	Shown url.Values // in the address
	Fixed url.Values // of the page itself: its replay, or its endpoint
	event.DeliverySelection
}

// Query returns all filters as a query. Of a relative time it has the beginning, which would be another one when a form
// is sent.
func (f deliveryFilters) Query() string { return f.all().Encode() }

func (f deliveryFilters) all() url.Values {
	all := without(f.Shown, "since")
	for name, values := range f.Fixed {
		all[name] = values
	}
	if f.From != nil {
		all.Set("from", f.From.UTC().Format(time.RFC3339Nano))
	}
	return all
}

// FailedQuery returns the filters as a query, without the deliveries that are not in the groups.
func (l deliveryList) FailedQuery() string { return l.failed(l.all()).Encode() }

// failed narrows filters to the deliveries in the groups.
func (l deliveryList) failed(query url.Values) url.Values {
	if query["state"] == nil {
		query["state"] = event.Texts(event.FailureStates)
	}
	if l.Recent {
		query.Set("from", l.groupsFrom.UTC().Format(time.RFC3339Nano))
	}
	return query
}

// failureGroup is a number of deliveries that failed alike.
type failureGroup struct {
	api.FailureGroup
	First, Last moment
	Result      label
	URL         string // the address of its deliveries
}

func showDeliveries(v *visit) error {
	if tidied := v.tidiedDeliveries(); tidied != nil {
		return v.redirect(link(v.URL.Path, tidied))
	}
	list, err := v.deliveryList(nil)
	if err != nil {
		return err
	}
	return v.show("deliveries", "Deliveries", list)
}

// deliveryFilter returns the filter of deliveries with a name.
func deliveryFilter(name string) (event.Filter, bool) {
	i := slices.IndexFunc(event.DeliveryFilters, func(f event.Filter) bool { return f.Name == name })
	if i < 0 {
		return event.Filter{}, false
	}
	return event.DeliveryFilters[i], true
}

// tidiedDeliveries returns the query that a form of filters means: without empty fields, and times with their zone. It
// returns nil if there is nothing to tidy.
func (v *visit) tidiedDeliveries() url.Values {
	query, changed := v.URL.Query(), false
	for name, values := range query {
		filter, _ := deliveryFilter(name)
		for i, value := range values {
			if !filter.IsTime() {
				continue
			}
			if at, err := v.typedTime(name, value); err == nil && at != value {
				values[i], changed = at, true
			}
		}
		if strings.Join(values, "") == "" {
			query.Del(name)
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return query
}

// deliveryFilters reads the selection from the address, with the filters of the page itself. It refuses unknown
// parameters.
func (v *visit) deliveryFilters(fixed url.Values, own ...string) (deliveryFilters, error) {
	f := deliveryFilters{Shown: url.Values{}, Fixed: fixed}
	all := url.Values{}
	for name, values := range v.URL.Query() {
		if _, known := deliveryFilter(name); known && fixed[name] == nil {
			f.Shown[name], all[name] = values, values
		} else if !slices.Contains(own, name) {
			return f, api.Invalidf("there is no filter %q here; the filters are the API's query parameters, see /docs",
				name)
		}
	}
	faults, err := api.WholeIDs(v.Context(), event.DeliveryFilters, all, v.wholeID)
	if err != nil {
		return f, err
	}
	for name := range f.Shown {
		f.Shown[name] = all[name]
	}
	for name, values := range fixed {
		all[name] = values
	}
	if len(faults) == 0 {
		f.DeliverySelection, faults = event.ParseDeliverySelection(all, v.now)
	}
	return f, api.CheckSelection(faults)
}

// groupsSince is how far back failures are grouped unless the filters say so.
const groupsSince = 7 * 24 * time.Hour

// maxGroups limits the failure groups on a page.
const maxGroups = 20

// deliveryList reads the list that the address describes. fixed are the filters of the page itself.
func (v *visit) deliveryList(fixed url.Values, own ...string) (list deliveryList, err error) {
	f, err := v.deliveryFilters(fixed, append(own, "cursor")...)
	if err != nil {
		return list, err
	}
	list = deliveryList{deliveryFilters: f, Path: v.URL.Path, MayRetry: v.user.Role.Covers(api.RoleReplay),
		Key: rand.Text()}
	list.Tabs = list.tabs()
	list.Presets = presetsOf(list.Path, f.Shown, chosenTime(f.Shown), "1h", "24h", "7d", "30d", "")
	list.Inputs, list.Keep = v.deliveryForm(f)
	list.Chips = v.chipsOf(chipFilters, filters{Values: f.Shown}, list.Path)
	cursor := v.URL.Query().Get("cursor")
	page, err := v.direct.Deliveries(v.Context(), f.DeliverySelection, pageSize, cursor)
	if err != nil {
		return list, err
	}
	if list.Rows, err = v.deliveryRows(page.Deliveries); err != nil {
		return list, err
	}
	list.Reached = v.at(page.Reached)
	if page.Next != "" {
		list.Next = link(list.Path, list.with("cursor", page.Next))
	}
	if cursor != "" {
		list.Newest = link(list.Path, f.Shown)
		return list, nil
	}
	return list, v.addGroups(&list)
}

// with returns the filters in the address, with one parameter replaced.
func (f deliveryFilters) with(name string, values ...string) url.Values {
	query := without(f.Shown, name)
	if len(values) > 0 {
		query[name] = values
	}
	return query
}

func (v *visit) addGroups(list *deliveryList) error {
	sel := list.DeliverySelection
	if sel.From == nil && sel.Until == nil && list.Fixed["replay"] == nil {
		since := v.now.Add(-groupsSince)
		sel.From, list.Recent, list.groupsFrom = &since, true, since
	}
	found, err := v.direct.FailureGroups(v.Context(), sel, maxGroups)
	list.Failed = found.Count - min(found.Resolved, found.Count)
	for _, g := range found.Groups {
		list.Groups = append(list.Groups, failureGroup{g, v.at(g.FirstSeen), v.at(g.LastSeen),
			resultOf(g.Outcome, g.StatusCode), link(list.Path, list.failed(list.with("group", g.Key)))})
	}
	return err
}

// deliveryRows returns the rows of a list, with the people that the events are about. Why many wait is said once.
func (v *visit) deliveryRows(deliveries []api.Delivery) (rows []delivery, err error) {
	if len(deliveries) == 0 {
		return nil, nil
	}
	var ids []uuid.UUID
	for _, d := range deliveries {
		ids = append(ids, d.EventID)
	}
	found, err := v.direct.Events(v.Context(), event.Selection{IDs: ids}, len(ids), "")
	if err != nil {
		return nil, err
	}
	type reason struct{ endpoint, action, text string }
	said := map[reason]bool{}
	for _, d := range deliveries {
		r := v.delivery(d)
		if w := r.Waits; w != nil && w.Code != event.WaitsInQueue {
			why := reason{d.Endpoint, w.Action, w.Text}
			w.Again, said[why] = said[why], true
		}
		if i := slices.IndexFunc(found.Events, func(e api.Event) bool { return e.ID == d.EventID }); i >= 0 {
			r.Event = row{Event: found.Events[i]}
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// tabs are the states that people look for.
func (l deliveryList) tabs() (tabs []preset) {
	for _, t := range []struct {
		label  string
		states []string
	}{{"All", nil}, {"Failed", []string{"failed"}}, {"Waiting", openStates},
		{"Delivered", []string{"delivered"}}, {"Cancelled", []string{"cancelled"}}} {
		tabs = append(tabs, preset{t.label, link(l.Path, l.with("state", t.states...)),
			slices.Equal(l.Shown["state"], t.states)})
	}
	return tabs
}

// chipFilters are the filters with chips. The others have tabs and links.
var chipFilters = slices.DeleteFunc(slices.Clone(event.DeliveryFilters), func(f event.Filter) bool {
	return f.Name == "state" || f.Name == "since"
})

// deliveryInputs are the filters in the form, in its order.
var deliveryInputs = []string{"endpoint", "from", "until", "status_code", "outcome", "subscriber"}

// deliveryForm returns the form of filters, and the filters that it keeps.
func (v *visit) deliveryForm(f deliveryFilters) (inputs []input, keep url.Values) {
	keep = without(f.Shown, "since")
	for _, name := range deliveryInputs {
		filter, _ := deliveryFilter(name)
		values := f.Shown[name]
		if f.Fixed[name] != nil || len(values) > 1 {
			continue
		}
		keep.Del(name)
		in := input{Filter: filter, Value: f.Shown.Get(name)}
		if filter.IsTime() {
			in.Value = v.shownTime(in.Value)
		}
		if filter.Known != nil || filter.Names == event.NamesEndpoint {
			in.Choices = v.choices(filter, values)
			if in.Choices[0].Value != "" {
				in.Choices = slices.Insert(in.Choices, 0, choice{})
			}
		}
		inputs = append(inputs, in)
	}
	return inputs, keep
}

// showDelivery shows a delivery with its attempts.
func showDelivery(v *visit) error {
	whole, err := v.wholeID(v.Context(), event.NamesDelivery, v.PathValue("id"))
	if err != nil {
		return v.noPage(err)
	}
	id, err := event.ParseDeliveryID(whole)
	if err != nil {
		return err
	}
	d, err := v.direct.Delivery(v.Context(), id)
	if err != nil {
		return err
	}
	if v.partial() {
		return v.part("event", "attempts", v.delivery(d).Attempts)
	}
	return v.redirect("/events/" + d.EventID.String() + "#d-" + d.ID)
}

// retryDeliveries retries the deliveries that are ticked, all that match the filters of the list, or those of a failure
// group. More than a thousand need a confirmation.
func retryDeliveries(v *visit) error {
	sel, err := v.deliveriesToRetry()
	if err != nil {
		return err
	}
	want := api.DeliveryRetry{Selection: sel, DryRun: true}
	if !v.PostForm.Has("confirmed") {
		planned, err := v.direct.RetryDeliveries(v.Context(), "", want)
		if err != nil {
			return err
		}
		deliveries := count(planned.Sent+planned.Asked, "delivery")
		if ok, err := v.confirmed("Retry "+deliveries+"?", "Retry "+deliveries,
			reasonsOf(planned.Confirm())); !ok {
			return err
		}
	}
	want.DryRun = false
	done, err := v.direct.RetryDeliveries(v.Context(), v.PostFormValue("key"), want)
	if err != nil {
		return err
	}
	switch {
	case len(done.Refused) > 0:
		return api.Invalidf("%s", refusedText(done))
	case len(done.Replays) == 1 && done.Asked == 0:
		return v.redirect("/replays/" + done.Replays[0].ID.String())
	case len(done.Replays) > 0:
		return v.redirect("/replays")
	case done.Asked+done.Waiting == 0:
		return api.Invalidf("nothing was sent: these deliveries were delivered, or sent again, " +
			"or have lost their body to retention")
	}
	return v.redirect(backOf(v.Request))
}

// refusedText describes which deliveries a retry has refused, and which it sends.
func refusedText(done api.Retried) string {
	var parts []string
	for _, r := range done.Refused {
		parts = append(parts, count(r.Count, "delivery")+" to "+r.Endpoint+" cannot be sent now: "+r.Why)
	}
	for _, r := range done.Replays {
		parts = append(parts, count(r.Events, "event")+" sent to "+r.Endpoint+" by replay "+r.ID.String())
	}
	if done.Asked > 0 {
		parts = append(parts, count(done.Asked, "delivery")+" tried now")
	}
	return strings.Join(parts, "; ")
}

// deliveriesToRetry returns the selection of a form of a list.
func (v *visit) deliveriesToRetry() (event.DeliverySelection, error) {
	query, err := url.ParseQuery(v.PostFormValue("query"))
	if err != nil {
		return event.DeliverySelection{}, api.Invalidf("invalid query: %v", err)
	}
	switch {
	case v.PostForm.Has("group"):
		query["group"] = v.PostForm["group"]
	case v.PostForm.Has("matching"):
	case len(v.PostForm["id"]) > 0:
		query = url.Values{"id": v.PostForm["id"]}
	default:
		return event.DeliverySelection{}, api.Invalidf("no delivery is selected")
	}
	sel, faults := event.ParseDeliverySelection(query, v.now)
	return sel, api.CheckSelection(faults)
}

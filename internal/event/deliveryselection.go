package event

import (
	"net/url"
	"reflect"
	"regexp"
	"time"

	"github.com/google/uuid"
)

// DeliverySelection selects deliveries: those that match every field that is set. Within a list any value matches. Each
// field has an entry in [DeliveryFilters], from which the command line, the API, the console and SQL derive.
type DeliverySelection struct {
	From       *time.Time `json:"from,omitempty"` // of the event's receipt, as Until
	Until      *time.Time `json:"until,omitempty"`
	FirstFrom  *time.Time `json:"first_attempt_from,omitempty"`
	FirstUntil *time.Time `json:"first_attempt_until,omitempty"`
	LastFrom   *time.Time `json:"last_attempt_from,omitempty"`
	LastUntil  *time.Time `json:"last_attempt_until,omitempty"`

	Endpoints   []string        `json:"endpoints,omitempty"`
	States      []DeliveryState `json:"states,omitempty"`
	Replays     []string        `json:"replays,omitempty"` // ids, LiveDelivery, or AnyReplay
	Events      []uuid.UUID     `json:"events,omitempty"`
	Subscribers []string        `json:"subscribers,omitempty"`
	// StatusCodes are statuses of the last answer, such as 503, or classes, such as 5xx.
	StatusCodes []string  `json:"status_codes,omitempty"`
	Outcomes    []Outcome `json:"outcomes,omitempty"` // of the last attempt
	Groups      []string  `json:"groups,omitempty"`   // of failures, by their keys
	IDs         []string  `json:"ids,omitempty"`
}

// LiveDelivery is the value of DeliverySelection.Replays for deliveries that belong to no replay.
const LiveDelivery = "live"

// AnyReplay is the value of DeliverySelection.Replays for deliveries that belong to a replay.
const AnyReplay = "any"

// DeliveryFilters lists the filters of deliveries, in the order in which people read them.
var DeliveryFilters = func() []Filter {
	filters := []Filter{
		{Name: "endpoint", Field: "Endpoints", Label: "endpoint", Placeholder: "ENDPOINT", Names: NamesEndpoint,
			Column: "endpoint", Help: "To one of these endpoints: a configured name, or the URL of a replay."},
		{Name: "state", Field: "States", Label: "state", Placeholder: "STATE", Known: Texts(DeliveryStates),
			Column: "state", Help: "In one of these states: " + Words(DeliveryStates) + "."},
		{Name: "replay", Field: "Replays", Label: "replay", Placeholder: "ID", Names: NamesReplay,
			Valid: isReplay, Want: "the whole id of a replay, live, or any", Example: LiveDelivery,
			Help: "Of one of these replays, by id; live for live delivery, any for all replays."},
		{Name: "event", Field: "Events", Label: "event", Placeholder: "ID", Names: NamesEvent, Valid: isEventID,
			Want: wholeEventID, Help: "Of one of these events, by id."},
		{Name: "subscriber", Field: "Subscribers", Label: "subscriber", Placeholder: "ID", Example: "47659",
			Help: "Of events about one of these people: BotHelp's id, else the messenger's."},
		{Name: "status_code", Field: "StatusCodes", Label: "status", Placeholder: "STATUS", Example: "503",
			Valid: statusCode.MatchString, Want: "a status such as 503, or a class such as 5xx",
			Help: "Whose last answer had one of these statuses, such as 503 or 5xx."},
		{Name: "outcome", Field: "Outcomes", Label: "outcome", Placeholder: "OUTCOME", Known: Texts(Outcomes),
			Column: "outcome", Help: "Whose last attempt had one of these outcomes: " + Words(Outcomes) + "."},
		{Name: "group", Field: "Groups", Label: "failure group", Placeholder: "KEY", Valid: groupKey.MatchString,
			Want: "the key of a failure group",
			Help: "Of one of these failure groups, by key: failed and retrying ones, unless state says otherwise."},
		{Name: "since", Label: "last", Placeholder: "AGO", Example: "2h",
			Help: "Whose event was received in the last 90m, 24h or 7d, for example; replaces from."},
		{Name: "from", Field: "From", Label: "from", Placeholder: "TIME", Example: "2026-01-31T13:00:00+03:00",
			Help: "Whose event was received at or after this time."},
		{Name: "until", Field: "Until", Label: "until", Placeholder: "TIME", Example: "2026-01-31T15:00:00+03:00",
			Help: "Whose event was received before this time."},
		{Name: "first_attempt_from", Field: "FirstFrom", Label: "first attempt from", Placeholder: "TIME",
			Help: "First tried at or after this time."},
		{Name: "first_attempt_until", Field: "FirstUntil", Label: "first attempt until", Placeholder: "TIME",
			Help: "First tried before this time."},
		{Name: "last_attempt_from", Field: "LastFrom", Label: "last attempt from", Placeholder: "TIME",
			Help: "Last tried at or after this time."},
		{Name: "last_attempt_until", Field: "LastUntil", Label: "last attempt until", Placeholder: "TIME",
			Help: "Last tried before this time."},
		{Name: "id", Field: "IDs", Label: "delivery", Placeholder: "ID", Names: NamesDelivery, Valid: isDeliveryID,
			Want: "the whole id of a delivery", Help: "One of these deliveries, by id."},
	}
	for i := range filters {
		filters[i].ofDeliveries = true
	}
	return filters
}()

var (
	statusCode = regexp.MustCompile(`^[1-5]([0-9][0-9]|xx)$`)
	groupKey   = regexp.MustCompile(`^[0-9a-f]{16}$`)
)

func isReplay(text string) bool {
	return text == LiveDelivery || text == AnyReplay || IsID(NamesReplay, text)
}

func isDeliveryID(text string) bool { return IsID(NamesDelivery, text) }

// ParseDeliverySelection parses a selection from values by the filters' names, and returns all errors. since counts
// back from now.
func ParseDeliverySelection(values url.Values, now time.Time) (sel DeliverySelection, faults []SelectionFault) {
	faults = parse(DeliveryFilters, reflect.ValueOf(&sel).Elem(), values, now)
	return sel, append(faults, sel.Faults()...)
}

// Values is the inverse of [ParseDeliverySelection].
func (s DeliverySelection) Values() url.Values { return valuesOf(DeliveryFilters, s) }

// FailureStates are the states of the deliveries of a failure group.
var FailureStates = []DeliveryState{Failed, Retrying}

// Complete returns the selection with the states of failure groups if it selects groups and no states.
func (s DeliverySelection) Complete() DeliverySelection {
	if len(s.Groups) > 0 && len(s.States) == 0 {
		s.States = FailureStates
	}
	return s
}

// Faults returns the parts of a selection that, probably by mistake, match nothing or everything, and invalid values.
func (s DeliverySelection) Faults() []SelectionFault {
	faults := append(endsBefore(s.From, s.Until, "it"), endsBefore(s.FirstFrom, s.FirstUntil, "the first attempt")...)
	faults = append(faults, endsBefore(s.LastFrom, s.LastUntil, "the last attempt")...)
	for _, f := range DeliveryFilters {
		for _, value := range f.Values(s) {
			if err := f.check(value); err != nil {
				faults = append(faults, SelectionFault{f.Property(), err.Error()})
			}
		}
	}
	if len(s.IDs) > maxIDs || len(s.Events) > maxIDs {
		faults = append(faults, SelectionFault{"", "it names more than 100000 deliveries or events by their ids"})
	}
	return append(faults, emptyLists(DeliveryFilters, s)...)
}

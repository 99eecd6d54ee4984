package api

import (
	"math"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hooktape/event"
	"hooktape/store"
)

// The types below say, in the document and to the library's validation, which words a type of the domain has.
type (
	uuidWord          uuid.UUID
	kindWord          string
	verdictWord       string
	orderWord         string
	modeWord          string
	retryWord         string
	replayStateWord   string
	deliveryStateWord string
	outcomeWord       string
)

func oneOf[T ~string](list ...T) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, word := range list {
		s.Enum = append(s.Enum, string(word))
	}
	return s
}

// Schema implements huma.SchemaProvider.
func (uuidWord) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid"}
}

// Schema implements huma.SchemaProvider.
func (kindWord) Schema(huma.Registry) *huma.Schema { return oneOf(event.Kinds...) }

// Schema implements huma.SchemaProvider.
func (verdictWord) Schema(huma.Registry) *huma.Schema { return oneOf(event.Verdicts...) }

// Schema implements huma.SchemaProvider.
func (orderWord) Schema(huma.Registry) *huma.Schema {
	return oneOf(event.OrderNone, event.OrderSubscriber)
}

// Schema implements huma.SchemaProvider.
func (modeWord) Schema(huma.Registry) *huma.Schema {
	return oneOf(event.ModeUndelivered, event.ModeAll)
}

// Schema implements huma.SchemaProvider.
func (retryWord) Schema(huma.Registry) *huma.Schema {
	return oneOf(event.RetryEndpoint, event.RetryNone)
}

// Schema implements huma.SchemaProvider.
func (replayStateWord) Schema(huma.Registry) *huma.Schema {
	return oneOf(event.ReplayRunning, event.ReplayPaused, event.ReplayDone, event.ReplayCancelled)
}

// Schema implements huma.SchemaProvider.
func (deliveryStateWord) Schema(huma.Registry) *huma.Schema {
	return oneOf(event.Pending, event.Delivering, event.Retrying, event.Unknown, event.Delivered, event.Failed, event.Cancelled)
}

// Schema implements huma.SchemaProvider.
func (outcomeWord) Schema(huma.Registry) *huma.Schema {
	return oneOf(event.OutcomeDelivered, event.OutcomeStatus, event.OutcomeTimeout, event.OutcomeNoConn, event.OutcomeBroken,
		event.OutcomeForbidden, event.OutcomeImpossible, event.OutcomeUnknown)
}

// description is what the document says of a type that is not this package's.
type description struct {
	of       reflect.Type
	required []string // in place of what the type's tags say; nil leaves that
	most     map[string]float64
	words    map[string]string
	more     map[string]*huma.Schema // properties that are no fields of the type
}

var optionWords = map[string]string{
	"rate":                "At most so many requests a second; 0 is as fast as the endpoint answers.",
	"concurrency":         "At most so many requests at once (default 4); with 1 the events go out strictly in order of arrival.",
	"order":               "none (the default): in order of arrival, none waits for another. subscriber: each subscriber's events one after the other.",
	"mode":                "undelivered (the default): leaves out what the endpoint has taken already, or is on its way there. all: everything selected.",
	"retry":               "endpoint (the default): as the endpoint's configuration says. none: one attempt.",
	"max_attempts":        "At most so many attempts for each event; 0 is what the endpoint says.",
	"pace":                "Keeps the time between events as it was, divided by this: 1 as it was, 10 ten times as fast; 0 does not keep it.",
	"stop_after_failures": "Pauses the replay after so many failed attempts in a row; 0 never does.",
	"headers":             "Go out beside the event's own, and in place of those of the same name. Their values are never shown again.",
}

// with puts more words to some.
func with(words map[string]string, more map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range []map[string]string{words, more} {
		for name, text := range m {
			all[name] = text
		}
	}
	return all
}

// described comes in an order in which no type is used before it is described.
var described = []description{
	{of: reflect.TypeFor[event.Header](), words: map[string]string{"name": "Its name.", "value": "Its value, where it is UTF-8."}, required: []string{"name"},
		more: map[string]*huma.Schema{"value_base64": {Type: huma.TypeString, ContentEncoding: "base64", Description: "Its value in Base64, where it is not."}}},
	{of: reflect.TypeFor[event.Selection](), words: map[string]string{
		"from": "Received at or after.", "until": "Received before.", "sources": "From one of these sources.",
		"steps": "At one of these steps; an empty one is none.", "kinds": "Of one of these kinds.", "verdicts": "With one of these verdicts. A replay sends accepted events only.",
		"channels": "Through one of these channels, such as telegram.", "ids": "One of these events.",
		"subscribers": "About one of these people: BotHelp's id, or the messenger's.",
		"utm_sources": "With one of these values of utm_source, in any spelling (vk is VK).", "utm_mediums": "With one of these values of utm_medium, in any spelling (vk is VK).",
		"utm_campaigns": "With one of these values of utm_campaign, in any spelling (vk is VK).", "utm_contents": "With one of these values of utm_content, in any spelling (vk is VK).",
		"utm_terms": "With one of these values of utm_term, in any spelling (vk is VK).", "fields": "With these values of these custom fields, in any spelling.",
		"text": "With all of these words, in any order and spelling, in what was read from the request (of a rejected one: in its path and body). In double quotes: as one. Of phone numbers the digits count.", "undelivered_to": "Never taken by this endpoint: a configured name, or a URL.",
		"failed_at": "Whose last delivery to this endpoint failed for good.",
		"where":     "For what nothing else covers: a ClickHouse expression over the columns of the table events. Needs the role admin.",
	}, more: map[string]*huma.Schema{"to": {Type: huma.TypeString, Format: "date-time", Description: "The old name of until; answers have both."}}},
	{of: reflect.TypeFor[NewReplay](), required: []string{"selection", "to"},
		most: map[string]float64{"rate": 1e6, "pace": 1e6, "concurrency": 1024, "max_attempts": math.MaxUint16, "stop_after_failures": math.MaxUint32}, words: with(optionWords, map[string]string{
			"selection": "Which events: those that match everything that is set. {} is every accepted event.",
			"to":        "Where to: a configured endpoint's name, or a URL. A URL on a private address needs the role admin and replay.allow_private in the configuration; hooktape itself and its ClickHouse are never sent to.",
		})},
	{of: reflect.TypeFor[event.Replay](), words: with(optionWords, map[string]string{
		"id": "Its id.", "created_at": "When it was made.", "updated_at": "When it came to what stands here.", "created_by": "The name of the token that made it.",
		"state": "Where it stands.", "reason": "Why it is paused or cancelled.",
		"endpoint": "Where to: a configured endpoint's name, or a URL with its query's values masked.", "url": "The URL, its query's values masked.",
		"selection": "What it was made of; of many ids, lists and streams have the first 100.", "total": "How many deliveries were frozen.", "counts": "How many deliveries are in each state, as of updated_at.",
		"per_second": "How many were settled a second of late.",
	})},
	{of: reflect.TypeFor[store.PlanPart](), words: map[string]string{"source": "The source.", "step": "The step; empty for none.", "day": "The day of receiving, UTC.", "count": "How many events."}},
	{of: reflect.TypeFor[Plan](), words: map[string]string{
		"count": "How many events would be sent.", "delivered": "Of those selected, how many the endpoint has taken already.",
		"on_their_way": "How many are on their way there: live, or by a replay that is not over.", "repeats": "How many are BotHelp's own repetitions, which are left out unless named by their ids.",
		"bodies_gone": "How many have no body any more, because it is past its retention; they are never sent.",
		"forgotten":   "How many are past the retention of deliveries, so that nobody knows whether the endpoint has taken them; the mode undelivered leaves them out.",
		"parts":       "The same by day, source and step.",
		"endpoint":    "Where to: a configured endpoint's name, or a URL with its query's values masked.", "url": "The URL, its query's values masked.",
		"seconds": "How long it takes at the rate that was asked for; 0 without one.",
	}},
}

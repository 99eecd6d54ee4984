package api

import (
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// enum has, for the document and the library's validation, the words of a type of the domain.
type enum struct {
	of, documented reflect.Type
	words          []any
}

func enumOf[T ~string](list ...T) enum {
	e := enum{of: reflect.TypeFor[T](), documented: reflect.TypeFor[word[T]]()}
	for _, w := range list {
		e.words = append(e.words, string(w))
	}
	return e
}

var enums = []enum{
	enumOf(event.Kinds...), enumOf(event.Verdicts...), enumOf(event.OrderNone, event.OrderSubscriber), enumOf(event.ModeUndelivered, event.ModeAll),
	enumOf(event.RetryEndpoint, event.RetryNone),
	enumOf(event.ReplayRunning, event.ReplayPaused, event.ReplayDone, event.ReplayCancelled),
	enumOf(event.Pending, event.Delivering, event.Retrying, event.Unknown, event.Delivered, event.Failed, event.Cancelled),
	enumOf(event.OutcomeDelivered, event.OutcomeStatus, event.OutcomeTimeout, event.OutcomeNoConn, event.OutcomeBroken,
		event.OutcomeForbidden, event.OutcomeImpossible, event.OutcomeUnknown),
}

// word stands for a type of enums in the document.
type word[T ~string] string

// Schema implements huma.SchemaProvider.
func (word[T]) Schema(huma.Registry) *huma.Schema {
	i := slices.IndexFunc(enums, func(e enum) bool { return e.of == reflect.TypeFor[T]() })
	return &huma.Schema{Type: huma.TypeString, Enum: enums[i].words}
}

type uuidWord uuid.UUID

// Schema implements huma.SchemaProvider.
func (uuidWord) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid"}
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

// selection describes the filters. Answers have the old names beside the new ones.
func selection() description {
	d := description{of: reflect.TypeFor[event.Selection](), words: map[string]string{}, more: map[string]*huma.Schema{}}
	for _, f := range event.Filters {
		if f.Property() != "" {
			d.words[f.Property()] = f.Help
		}
		if f.Old != "" {
			d.more[f.Old] = &huma.Schema{Type: huma.TypeString, Format: "date-time", Description: "The old name of " + f.Name + "; answers have both."}
		}
	}
	return d
}

// with puts more words to some.
func with(words map[string]string, more map[string]string) map[string]string {
	all := maps.Clone(words)
	maps.Copy(all, more)
	return all
}

// described returns descriptions in an order in which no type is used before it is described. Each server has its own, because
// the library writes into them.
func described() []description {
	return []description{
		{of: reflect.TypeFor[event.Header](), words: map[string]string{"name": "Its name.", "value": "Its value, where it is UTF-8."}, required: []string{"name"},
			more: map[string]*huma.Schema{"value_base64": {Type: huma.TypeString, ContentEncoding: "base64", Description: "Its value in Base64, where it is not."}}},
		selection(),
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
}

package api

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// A request may name an event, a delivery or a replay by its id, by the unique beginning of the id, or by last, the
// newest one. The API finds the whole id before it does anything: it acts on, answers with and records whole ids only.

const (
	// LastID names the newest event, delivery or replay.
	LastID = "last"
	// NamesRejected is the kind of events that were rejected, for which last is the newest rejected one.
	NamesRejected event.Named = "rejected"
)

const (
	shortestID     = 8   // characters; they have a minute of the time in an id
	maxCandidates  = 5   // that an error about an ambiguous beginning lists
	maxIncomplete  = 100 // ids of a list that are not whole: each takes a query
	idTimeDigits   = 12  // of a UUID of version 7
	lastYearOfTime = 2200
)

var idBeginning = regexp.MustCompile(`^[0-9a-f]{8}[0-9a-f-]{0,36}$`)

// idKind is a kind of object with ids.
type idKind struct {
	name  string
	whole func(id string) bool
	// find returns at most limit ids that begin with a text; of the empty text, the newest.
	find func(ctx context.Context, db *store.Store, beginning string, limit int) ([]string, error)
}

var idKinds = map[event.Named]idKind{
	event.NamesEvent:    {"event", isUUID, eventIDs(event.Selection{})},
	NamesRejected:       {"rejected event", isUUID, eventIDs(event.Selection{Rejected: true})},
	event.NamesDelivery: {"delivery", isDeliveryID, deliveryIDs},
	event.NamesReplay:   {"replay", isUUID, replayIDs},
}

func isUUID(id string) bool { return len(id) == len(uuid.Nil.String()) && uuid.Validate(id) == nil }

func isDeliveryID(id string) bool {
	_, err := event.ParseDeliveryID(id)
	return err == nil
}

func eventIDs(sel event.Selection) func(context.Context, *store.Store, string, int) ([]string, error) {
	return func(ctx context.Context, db *store.Store, beginning string, limit int) (ids []string, err error) {
		if beginning == "" {
			newest, err := db.ListEvents(ctx, sel, store.Page{Limit: 1})
			for _, e := range newest {
				ids = append(ids, e.ID.String())
			}
			return ids, err
		}
		sel, ok := sel, false
		if sel.From, sel.Until, ok = timesOf(beginning); !ok {
			return nil, nil
		}
		return db.EventIDs(ctx, sel, beginning, limit)
	}
}

func deliveryIDs(ctx context.Context, db *store.Store, beginning string, limit int) (ids []string, err error) {
	sel, ok := event.DeliverySelection{}, false
	if beginning == "" {
		newest, _, err := db.ListDeliveries(ctx, sel, store.DeliveryPage{Limit: 1}, requestTimeout)
		for _, d := range newest {
			ids = append(ids, d.ID().String())
		}
		return ids, err
	}
	if sel.From, sel.Until, ok = timesOf(beginning); !ok {
		return nil, nil
	}
	return db.DeliveryIDs(ctx, sel, beginning, limit)
}

func replayIDs(ctx context.Context, db *store.Store, beginning string, limit int) (ids []string, err error) {
	if beginning != "" {
		return db.ReplayIDs(ctx, beginning, limit)
	}
	newest, err := db.Replays(ctx, uuid.Nil, 1)
	for _, r := range newest {
		ids = append(ids, r.ID.String())
	}
	return ids, err
}

// timesOf returns the times of receipt of events whose ids have a beginning. The ids are UUIDs of version 7 (RFC 9562,
// section 5.7), which begin with the Unix time in milliseconds. It is not ok if no event can have such an id.
func timesOf(beginning string) (from, until *time.Time, ok bool) {
	digits := strings.ReplaceAll(beginning, "-", "")
	digits = digits[:min(len(digits), idTimeDigits)]
	at := func(fill string) *time.Time {
		bytes, _ := hex.DecodeString(digits + strings.Repeat(fill, idTimeDigits-len(digits))) // idBeginning matches it
		ms := int64(0)
		for _, b := range bytes {
			ms = ms<<8 | int64(b)
		}
		return new(time.UnixMilli(ms).UTC())
	}
	from, until = at("0"), at("f")
	*until = until.Add(time.Millisecond)
	return from, until, until.Year() < lastYearOfTime
}

// WholeID returns the whole id of the object that a text names: by its id, by the only id that begins with the text, or
// by [LastID]. It does not check that an object with a whole id exists. It returns a [*Problem] with the status 404 if
// there is no object with such an id, and with 422 for an invalid text, or one with which several ids begin.
func (d *Direct) WholeID(ctx context.Context, kind event.Named, text string) (string, error) {
	k := idKinds[kind]
	text = strings.ToLower(text)
	limit, beginning := maxCandidates+1, text
	switch {
	case k.whole(text):
		return text, nil
	case text == LastID:
		limit, beginning = 1, ""
	case !idBeginning.MatchString(text):
		return "", Invalidf("invalid %s id %.60q: want an id, at least its first %d characters, or %s", k.name, text,
			shortestID, LastID)
	}
	ids, err := k.find(ctx, d.store, beginning, limit)
	switch {
	case err != nil:
		return "", err
	case len(ids) == 0 && beginning == "":
		return "", Problemf(http.StatusNotFound, "there is no %s yet", k.name)
	case len(ids) == 0:
		return "", Problemf(http.StatusNotFound, "no %s has an id that begins with %q", k.name, text)
	case len(ids) == 1:
		return ids[0], nil
	}
	list := strings.Join(ids[:min(len(ids), maxCandidates)], ", ")
	if len(ids) > maxCandidates {
		list += ", …"
	}
	return "", Invalidf("more than one %s has an id that begins with %q: %s", k.name, text, list)
}

// WholeIDs replaces the ids among the values of filters by the whole ids that whole returns; see [Direct.WholeID]. Its
// error is an [*IDError].
func WholeIDs(filters []event.Filter, values url.Values, whole func(kind event.Named, text string) (string,
	error)) error {
	for _, f := range filters {
		if idKinds[f.Names].find == nil || len(values[f.Name]) == 0 {
			continue
		}
		kind := f.Names
		if rejected, _ := strconv.ParseBool(values.Get("rejected")); rejected && kind == event.NamesEvent {
			kind = NamesRejected
		}
		ids, _, err := wholeList(kind, values[f.Name], whole)
		if err != nil {
			return &IDError{f.Name, err}
		}
		values[f.Name] = ids
	}
	return nil
}

func (d *Direct) finder(ctx context.Context) func(event.Named, string) (string, error) {
	return func(kind event.Named, text string) (string, error) { return d.WholeID(ctx, kind, text) }
}

// wholeList returns the whole ids that texts name, or the index of a text that names none. The words for live delivery
// and for any replay are no ids.
func wholeList(kind event.Named, texts []string, whole func(event.Named, string) (string, error)) (ids []string,
	wrong int, err error) {
	var incomplete []int
	for i, text := range texts {
		word := kind == event.NamesReplay && (text == event.LiveDelivery || text == event.AnyReplay)
		if text != "" && !word && !idKinds[kind].whole(strings.ToLower(text)) {
			incomplete = append(incomplete, i)
		}
	}
	if len(incomplete) > maxIncomplete {
		return nil, incomplete[maxIncomplete], Invalidf("more than %d of the ids are not whole", maxIncomplete)
	}
	ids = slices.Clone(texts)
	for _, i := range incomplete {
		if ids[i], err = whole(kind, texts[i]); err != nil {
			return nil, i, err
		}
	}
	return ids, 0, nil
}

// IDError is an error of an id in a filter.
type IDError struct {
	Name string // of the filter
	Err  error
}

// Error returns the error without the name of the filter.
func (e *IDError) Error() string { return e.Err.Error() }

// Unwrap returns the error.
func (e *IDError) Unwrap() error { return e.Err }

// refusedID returns the errors with which a resolver of huma refuses a request, because of the id at a place in it.
func refusedID(ctx huma.Context, place string, err error) []error {
	p := callerOf(ctx.Context()).server.problemOf(ctx.Context(), ctx.Operation().OperationID, err)
	switch {
	case p.Status == http.StatusServiceUnavailable:
		ctx.SetHeader("Retry-After", retryAfter)
	case p.Status == http.StatusUnprocessableEntity,
		p.Status == http.StatusNotFound && !strings.HasPrefix(place, "path."):
		return []error{&huma.ErrorDetail{Location: place, Message: p.Detail}}
	}
	return []error{p}
}

func resolveID(ctx huma.Context, place *huma.PathBuffer, kind event.Named, text *string) []error {
	if *text == "" { // an optional one
		return nil
	}
	whole, err := callerOf(ctx.Context()).direct.WholeID(ctx.Context(), kind, *text)
	if err != nil {
		return refusedID(ctx, place.String(), err)
	}
	*text = whole
	return nil
}

// Parameters with an id. Huma calls Resolve before the operation, which then has the whole id.
type (
	eventRef    string
	deliveryRef string
	replayRef   string
)

// Resolve implements huma.ResolverWithPath.
func (r *eventRef) Resolve(ctx huma.Context, place *huma.PathBuffer) []error {
	return resolveID(ctx, place, event.NamesEvent, (*string)(r))
}

// Resolve implements huma.ResolverWithPath.
func (r *deliveryRef) Resolve(ctx huma.Context, place *huma.PathBuffer) []error {
	return resolveID(ctx, place, event.NamesDelivery, (*string)(r))
}

// Resolve implements huma.ResolverWithPath.
func (r *replayRef) Resolve(ctx huma.Context, place *huma.PathBuffer) []error {
	return resolveID(ctx, place, event.NamesReplay, (*string)(r))
}

// hasIDs is the body of a request that has ids.
type hasIDs interface {
	// ids returns the kinds of the ids in the body, by the paths of its properties, such as selection.ids.
	ids() map[string]event.Named
}

// selectionIDs are the ids in the selection of a body.
func selectionIDs(filters []event.Filter) map[string]event.Named {
	kinds := map[string]event.Named{}
	for _, f := range filters {
		if idKinds[f.Names].find != nil {
			kinds["selection."+f.Property()] = f.Names
		}
	}
	return kinds
}

// Whole is the body of a request with ids. Huma calls Resolve before the operation, for which Value has whole ids.
type Whole[T hasIDs] struct {
	Value T
	raw   json.RawMessage
}

// UnmarshalJSON implements json.Unmarshaler. It reads everything but the ids.
func (b *Whole[T]) UnmarshalJSON(text []byte) error {
	rest := json.RawMessage(text)
	for path := range b.Value.ids() {
		rest, _ = replaceIDs(rest, strings.Split(path, "."), func(ids []string) ([]string, error) {
			return slices.Repeat([]string{uuid.Nil.String()}, len(ids)), nil
		})
	}
	if err := json.Unmarshal(rest, &b.Value); err != nil {
		return err
	}
	b.raw = slices.Clone(text)
	return nil
}

// Schema implements huma.SchemaProvider.
func (Whole[T]) Schema(r huma.Registry) *huma.Schema { return r.Schema(reflect.TypeFor[T](), true, "") }

// Resolve implements huma.Resolver.
func (b *Whole[T]) Resolve(ctx huma.Context) []error {
	if b.raw == nil { // the body is invalid
		return nil
	}
	find := callerOf(ctx.Context()).direct.finder(ctx.Context())
	for path, kind := range b.Value.ids() {
		place := "body." + path
		whole, err := replaceIDs(b.raw, strings.Split(path, "."), func(texts []string) ([]string, error) {
			ids, wrong, err := wholeList(kind, texts, find)
			place += fmt.Sprintf("[%d]", wrong)
			return ids, err
		})
		if err != nil {
			return refusedID(ctx, place, err)
		}
		b.raw = whole
	}
	if err := json.Unmarshal(b.raw, &b.Value); err != nil { // never: UnmarshalJSON has read all but the ids
		return refusedID(ctx, "body", err)
	}
	return nil
}

// replaceIDs replaces the text, or the list of texts, at a path of JSON. It leaves everything else as it is.
func replaceIDs(text json.RawMessage, path []string, whole func([]string) ([]string, error)) (json.RawMessage, error) {
	if len(path) > 0 {
		var object map[string]json.RawMessage
		if json.Unmarshal(text, &object) != nil || object[path[0]] == nil {
			return text, nil
		}
		inner, err := replaceIDs(object[path[0]], path[1:], whole)
		if err != nil {
			return nil, err
		}
		object[path[0]] = inner
		return json.Marshal(object)
	}
	var one string
	if json.Unmarshal(text, &one) == nil {
		list, err := whole([]string{one})
		if err != nil {
			return nil, err
		}
		return json.Marshal(list[0])
	}
	var list []string
	if json.Unmarshal(text, &list) != nil || list == nil {
		return text, nil
	}
	list, err := whole(list)
	if err != nil {
		return nil, err
	}
	return json.Marshal(list)
}

// FoundID is the whole id of an object.
type FoundID struct {
	ID string `json:"id" doc:"The whole id."`
}

func (s *server) idRoute() {
	reply(s, RoleRead, "GET /ids/{kind}/{id}", huma.Operation{OperationID: "find-id",
		Errors:  []int{http.StatusNotFound},
		Summary: "Find a whole id",
		Description: "Every path, filter and body that takes an id also takes a unique beginning of it, or last. To " +
			"use the same object in several requests, find its id first: what has this beginning, or is the last, " +
			"may change. A beginning that several ids have is refused with some of them."},
		func(ctx context.Context, in *struct {
			Kind event.Named `path:"kind" enum:"event,rejected,delivery,replay" doc:"Of what it is the id. rejected: of an event that was rejected."`
			ID   string      `path:"id" maxLength:"45" doc:"The id, a unique beginning of it (8 characters or more), or last for the newest."`
		}) (FoundID, error) {
			id, err := s.as(ctx).WholeID(ctx, in.Kind, in.ID)
			return FoundID{id}, err
		})
}

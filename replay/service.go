package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/redact"
	"hooktape/internal/store"
)

// Service plans, creates and steers replays for people and programs. The [Runner] delivers them, in this process or
// another one; the two share only ClickHouse.
type Service struct {
	// Own are hooktape's own addresses, where nothing is sent. Set it before the first request.
	Own *outbound.OwnAddresses

	store        *store.Store
	endpoints    func() []Endpoint
	allowPrivate bool
	self         store.LeaseClaim // of the locks for freezing selections
	creating     sync.Mutex       // one replay at a time
}

// NewService returns a service. It calls endpoints for each request, because they may change.
func NewService(db *store.Store, endpoints func() []Endpoint, allowPrivate bool) *Service {
	self := store.LeaseClaim{ID: uuid.NewString()}
	return &Service{store: db, endpoints: endpoints, allowPrivate: allowPrivate, self: self}
}

// Actor is the person or program that makes a request.
type Actor struct {
	Name     string     // of a token, or of the user of the command line
	RemoteIP netip.Addr // zero for the command line
	// MayReachPrivate lets replays to a URL go to private addresses if replay.allow_private does. It is for people who
	// have access to the machine anyway.
	MayReachPrivate bool
}

// key returns an Idempotency-Key as it is stored: it belongs to its actor.
func (a Actor) key(key string) string { return a.Name + "\x00" + key }

// Audit adds an entry about the actor to the audit log, with detail as JSON.
func (a Actor) Audit(ctx context.Context, db *store.Store, action, target string, detail any) error {
	text, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("audit %s: %w", action, err)
	}
	entry := store.AuditEntry{At: time.Now(), Who: a.Name, Action: action, Target: target, Detail: string(text)}
	if a.RemoteIP.IsValid() {
		entry.RemoteIP = a.RemoteIP.String()
	}
	return db.Audit(ctx, entry)
}

// Request describes a replay to create.
type Request struct {
	Selection event.Selection `json:"selection" doc:"The events: those that match everything that is set. {} selects every accepted event."`
	To        string          `json:"to" doc:"The target: the name of a configured endpoint, or a URL. A URL with a private address needs the role admin and replay.allow_private in the configuration; hooktape never sends to itself or to its ClickHouse."`
	// Again is zero for none. See Service.Repeat.
	Again uuid.UUID `json:"again,omitzero" doc:"A replay to repeat, by its id, a unique beginning of it, or last: its events are selected, and selection must be {}. If to is its endpoint, or empty, its headers are sent too, unless the request has others. The options are those of the request."`
	event.ReplayOptions

	retries *event.DeliverySelection  // of a retry: see event.Replay.Retries
	parent  uuid.UUID                 // of a retry
	except  []event.DeliverySelection // in a plan: what other retries to the endpoint send before
}

// Plan says what a request would do.
type Plan struct {
	store.Plan
	Endpoint string         `json:"endpoint" doc:"The target: the name of a configured endpoint, or a URL with the values of its query masked."`
	URL      string         `json:"url" doc:"The URL, with the values of its query masked."`
	Seconds  float64        `json:"seconds" doc:"How long it takes at the requested rate; 0 without a rate."`
	Confirm  []Confirmation `json:"confirm,omitempty" doc:"The reasons to ask a person before the replay is created; absent without any. Creating it does not check them."`
}

// Plan returns what a request would do, and does nothing.
func (s *Service) Plan(ctx context.Context, by Actor, want Request) (Plan, error) {
	e, err := s.check(ctx, by, &want)
	if err != nil {
		return Plan{}, err
	}
	plan, err := s.store.PlanReplay(ctx, store.PlanRequest{Selection: want.Selection, Retries: want.retries,
		Except: want.except, Endpoint: e.Name, Mode: want.Mode, IncludeRejected: want.IncludeRejected})
	p := Plan{Plan: plan, Endpoint: e.Name, URL: e.StoredURL()}
	if want.Rate > 0 {
		p.Seconds = float64(plan.Count) / want.Rate
	}
	if err == nil && plan.Count > 0 {
		p.Confirm, err = s.confirmations(ctx, want, plan, e.Name)
	}
	return p, err
}

// Confirmation is a reason to ask a person before a replay is created.
type Confirmation struct {
	Code string `json:"code" enum:"many,mode_all,repeat" doc:"many: more than 1,000 events. mode_all: it sends again what was delivered. repeat: the same selection was replayed to the same endpoint before."`
	Text string `json:"text" doc:"The reason as a sentence."`
}

// confirmations returns the reasons to ask a person before a planned replay is created.
func (s *Service) confirmations(ctx context.Context, want Request, plan store.Plan, endpoint string) (
	list []Confirmation, err error) {
	if plan.Count > MaxUnconfirmed {
		list = append(list, Confirmation{"many", fmt.Sprintf("it sends %d events", plan.Count)})
	}
	if want.Mode == event.ModeAll {
		text := "it sends all selected events, delivered or not (mode all)"
		if n := plan.Delivered + plan.OnTheirWay; n > 0 {
			text = fmt.Sprintf("it sends %d events again that were delivered or are on their way (mode all)", n)
		}
		list = append(list, Confirmation{"mode_all", text})
	}
	before, err := s.before(ctx, want, endpoint)
	if err == nil && before.ID != uuid.Nil {
		list = append(list, Confirmation{"repeat", fmt.Sprintf(
			"the same selection was replayed to the same endpoint at %s (replay %s, %s)",
			utc(before.CreatedAt), before.ID, before.State)})
	}
	return list, err
}

// before returns the last replay of the same events to the same endpoint; the zero Replay if there is none.
func (s *Service) before(ctx context.Context, want Request, endpoint string) (event.Replay, error) {
	if want.Again != uuid.Nil {
		if r, err := s.store.Replay(ctx, want.Again); err != nil || r.Endpoint == endpoint {
			return r, err
		}
	}
	return s.store.LastReplayOf(ctx, event.Replay{Endpoint: endpoint, Selection: want.Selection,
		Retries: want.retries})
}

// Create freezes a request's selection and lets the replay run. A second call of the same actor with the same key
// returns the replay of the first; without a key each call creates one. It returns ErrNothing if there is nothing to
// send.
func (s *Service) Create(ctx context.Context, by Actor, key string, want Request) (event.Replay, error) {
	e, err := s.check(ctx, by, &want)
	if err != nil {
		return event.Replay{}, err
	}
	s.creating.Lock()
	defer s.creating.Unlock()
	if key != "" {
		key = by.key(key)
		if r, err := s.store.ReplayByKey(ctx, key); !errors.Is(err, store.ErrNotFound) {
			return r, err
		}
	}
	now := time.Now()
	r := event.Replay{ID: uuid.Must(uuid.NewV7()), CreatedAt: now, UpdatedAt: now, CreatedBy: by.Name,
		IdempotencyKey: key, State: event.ReplayRunning, Endpoint: e.Name, URL: e.replayURL(),
		Selection: want.Selection, Retries: want.retries, Parent: want.parent,
		PublicOnly: !by.MayReachPrivate, ReplayOptions: want.ReplayOptions}
	err = freeze(ctx, s.store, s.self, &r, func() error {
		// Nothing is done without an entry in the audit log.
		if err := s.audit(ctx, by, "replay.create", r.ID.String(), withoutSecrets(want, e)); err != nil {
			return err
		}
		return s.store.SaveReplay(ctx, r)
	})
	return r, err
}

// withoutSecrets returns a request for the audit log: a URL's query and the headers' values may be the receiver's
// secrets.
func withoutSecrets(want Request, e Endpoint) Request {
	want.To = e.Name
	headers := make([]event.Header, len(want.Headers))
	for i, h := range want.Headers {
		headers[i] = event.Header{Name: h.Name, Value: redact.Mask}
	}
	want.Headers = headers
	return want
}

// Repeat completes a request with what it repeats: the events of the replay Again, and its endpoint unless there is
// another one. At the same endpoint it also has the replay's headers, unless there are others: only the database has
// their values, and the secrets of a URL. The options are those of the request.
func (s *Service) Repeat(ctx context.Context, want *Request) error {
	if want.Again == uuid.Nil {
		return nil
	}
	if len(want.Selection.Values()) > 0 {
		return invalid("again and a selection exclude each other: again selects the events of a replay")
	}
	r, err := s.store.Replay(ctx, want.Again)
	if err != nil {
		return err
	}
	want.Selection, want.parent = r.Selection, r.Parent
	if r.Retries != nil {
		want.retries = &event.DeliverySelection{Endpoints: []string{r.Endpoint}, Replays: []string{r.ID.String()}}
	}
	if want.Selection.Until == nil || want.Selection.Until.After(r.CreatedAt) {
		want.Selection.Until = &r.CreatedAt // the replay has no later events
	}
	if want.To == "" || TargetName(want.To) == TargetName(r.Endpoint) {
		if want.To = r.Endpoint; isAdHoc(r.Endpoint) {
			want.To = r.URL
		}
		if len(want.Headers) == 0 {
			want.Headers = r.Headers
		}
	}
	return nil
}

// check sets a request's defaults and returns its endpoint. Its error is an [*InvalidError] if the request is wrong.
func (s *Service) check(ctx context.Context, by Actor, want *Request) (Endpoint, error) {
	o := &want.ReplayOptions
	o.Order = cmp.Or(o.Order, event.OrderNone)
	o.Mode = cmp.Or(o.Mode, event.ModeUndelivered)
	o.Retry = cmp.Or(o.Retry, event.RetryEndpoint)
	o.Concurrency = cmp.Or(o.Concurrency, 4)
	switch {
	case o.Rate < 0:
		return Endpoint{}, invalid("the rate must not be negative")
	case o.Pace < 0:
		return Endpoint{}, invalid("the pace must not be negative")
	case o.Concurrency > maxConcurrency:
		return Endpoint{}, invalid("the concurrency must be at most %d", maxConcurrency)
	case o.Order != event.OrderNone && o.Order != event.OrderSubscriber:
		return Endpoint{}, invalid("invalid order %q: want none or subscriber", o.Order)
	case o.Mode != event.ModeUndelivered && o.Mode != event.ModeAll:
		return Endpoint{}, invalid("invalid mode %q: want undelivered or all", o.Mode)
	case o.Retry != event.RetryEndpoint && o.Retry != event.RetryNone:
		return Endpoint{}, invalid("invalid retry %q: want endpoint or none", o.Retry)
	}
	for _, h := range o.Headers {
		if err := outbound.CheckHeader(h); err != nil {
			return Endpoint{}, invalid("header %v", err)
		}
	}
	e, err := s.resolve(want.To)
	if err != nil {
		return e, err
	}
	for _, name := range want.Selection.Endpoints() {
		if name == e.Name {
			continue // a URL that nothing has been sent to yet
		}
		if err := s.CheckEndpoints(ctx, name); err != nil {
			return e, err
		}
	}
	if !by.MayReachPrivate {
		e = e.toPublic()
	}
	if err := e.CheckAddresses(ctx, s.Own); err != nil {
		return e, invalid("%v", err)
	}
	return e, nil
}

func (s *Service) resolve(to string) (Endpoint, error) {
	to = outbound.Trim(to)
	return findEndpoint(s.endpoints(), s.allowPrivate, to, to)
}

// maxReason is the largest number of bytes of a reason.
const maxReason = 500

func checkReason(reason string) error {
	if len(reason) > maxReason || !utf8.ValidString(reason) {
		return invalid("the reason must be text of at most %d bytes", maxReason)
	}
	return nil
}

// Steer pauses, resumes or cancels a replay, or changes its rate. reason may be empty.
func (s *Service) Steer(ctx context.Context, by Actor, id uuid.UUID, action event.Action, perSecond float64,
	reason string) error {
	if err := checkReason(reason); err != nil {
		return err
	}
	r, err := s.store.Replay(ctx, id)
	if err != nil {
		return err
	}
	if r.State.Final() {
		return invalid("the replay is %s already", r.State)
	}
	if perSecond < 0 {
		return invalid("the rate must not be negative")
	}
	if err := s.audit(ctx, by, "replay."+string(action), id.String(),
		map[string]any{"rate": perSecond, "reason": reason}); err != nil {
		return err
	}
	return s.store.AddCommand(ctx, event.Command{Target: id.String(), Action: action, Rate: perSecond, By: by.Name,
		Reason: reason})
}

// SteerEndpoint pauses or resumes all deliveries to an endpoint. reason may be empty.
func (s *Service) SteerEndpoint(ctx context.Context, by Actor, name string, action event.Action, reason string) error {
	if err := checkReason(reason); err != nil {
		return err
	}
	if action != event.ActionPause && action != event.ActionResume {
		return invalid("an endpoint can be paused and resumed, and nothing else")
	}
	if _, err := s.resolve(name); err != nil {
		return err
	}
	if err := s.audit(ctx, by, "endpoint."+string(action), name, map[string]any{"reason": reason}); err != nil {
		return err
	}
	return s.store.AddCommand(ctx, event.Command{Target: name, Action: action, By: by.Name, Reason: reason})
}

// EndpointNames returns the configured endpoints' names, in the order of the configuration.
func (s *Service) EndpointNames() []string {
	return namesOf(s.endpoints())
}

// CheckEndpoints returns an [*InvalidError], with the known names, if names has an endpoint that nothing can have been
// sent to: a mistyped name would select everything or nothing. Known are the configured endpoints, those that were
// configured once, and the URLs that replays were sent to, as they are shown. Empty names are ignored.
func (s *Service) CheckEndpoints(ctx context.Context, names ...string) error {
	known := s.EndpointNames()
	unknown := func(name string) bool { return name != "" && !slices.Contains(known, name) }
	if !slices.ContainsFunc(names, unknown) {
		return nil
	}
	stored, err := s.store.EndpointNames(ctx)
	if err != nil {
		return err
	}
	known = append(known, slices.DeleteFunc(stored, func(n string) bool { return slices.Contains(known, n) })...)
	i := slices.IndexFunc(names, unknown)
	switch {
	case i < 0:
		return nil
	case len(known) == 0:
		return invalid("there is no endpoint %q: none is configured, and no replay was sent anywhere", names[i])
	}
	const most = 20
	list := strings.Join(known[:min(len(known), most)], ", ")
	if len(known) > most {
		list += ", …"
	}
	return invalid("there is no endpoint %q; known are %s", names[i], list)
}

// utc formats a time for a sentence.
func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func (s *Service) audit(ctx context.Context, by Actor, action, target string, detail any) error {
	return by.Audit(ctx, s.store, action, target, detail)
}

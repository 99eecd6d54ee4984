package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/redact"
	"hooktape/internal/store"
)

// Service is what people and programs may ask for: it plans, makes and steers replays. The work itself is the Runner's,
// in this process or another one; the two meet in ClickHouse.
type Service struct {
	// Own is hooktape itself, where nothing is sent. It is set before the first request.
	Own *outbound.OwnAddresses

	store        *store.Store
	endpoints    func() []Endpoint
	allowPrivate bool
	self         store.LeaseClaim // of the leases for freezing selections
	creating     sync.Mutex       // one replay at a time
}

// NewService makes a service. The endpoints are asked for each time, for they may change.
func NewService(db *store.Store, endpoints func() []Endpoint, allowPrivate bool) *Service {
	return &Service{store: db, endpoints: endpoints, allowPrivate: allowPrivate, self: store.LeaseClaim{ID: uuid.NewString()}}
}

// Actor is who asks.
type Actor struct {
	Name     string     // of a token, or of the user of the command line
	RemoteIP netip.Addr // the zero one for the command line
	// MayReachPrivate lets replays to a URL go to private addresses, where the configuration's replay.allow_private does. It is for
	// those who have the machine anyway.
	MayReachPrivate bool
}

// Request is a replay that somebody wants.
type Request struct {
	Selection event.Selection `json:"selection"`
	// To is a configured endpoint's name, or a URL.
	To string `json:"to"`
	event.ReplayOptions
}

// Plan is what a request would do.
type Plan struct {
	store.Plan
	Endpoint string `json:"endpoint"`
	URL      string `json:"url"`
	// Seconds is how long it takes at the request's rate; 0 when that is not limited.
	Seconds float64 `json:"seconds"`
}

// InvalidError is a request that cannot be met, with what is wrong with it in words for the person who made it.
type InvalidError struct{ Text string }

func (e *InvalidError) Error() string { return e.Text }

func invalid(format string, args ...any) error { return &InvalidError{fmt.Sprintf(format, args...)} }

// ErrNothing: the selection matches no event that would be sent.
var ErrNothing = errors.New("no events match that would be sent")

// Plan tells what a request would do, and does nothing.
func (s *Service) Plan(ctx context.Context, by Actor, want Request) (Plan, error) {
	e, err := s.check(ctx, by, &want)
	if err != nil {
		return Plan{}, err
	}
	plan, err := s.store.PlanReplay(ctx, store.PlanRequest{Selection: want.Selection, Endpoint: e.Name, Mode: want.Mode})
	p := Plan{Plan: plan, Endpoint: e.Name, URL: e.StoredURL()}
	if want.Rate > 0 {
		p.Seconds = float64(plan.Count) / want.Rate
	}
	return p, err
}

// Create freezes a request's selection and lets it run. With a key, a second creation under the same key returns the
// replay that the first one made. It returns ErrNothing when there is nothing to send.
func (s *Service) Create(ctx context.Context, by Actor, key string, want Request) (event.Replay, error) {
	e, err := s.check(ctx, by, &want)
	if err != nil {
		return event.Replay{}, err
	}
	s.creating.Lock()
	defer s.creating.Unlock()
	if key != "" {
		key = by.Name + "\x00" + key // a key is its maker's own
		if r, err := s.store.ReplayByKey(ctx, key); !errors.Is(err, store.ErrNotFound) {
			return r, err
		}
	}
	now := time.Now()
	r := event.Replay{ID: uuid.Must(uuid.NewV7()), CreatedAt: now, UpdatedAt: now, CreatedBy: by.Name, IdempotencyKey: key,
		State: event.ReplayRunning, Endpoint: e.Name, URL: e.replayURL(), Selection: want.Selection, PublicOnly: !by.MayReachPrivate, ReplayOptions: want.ReplayOptions}
	err = s.freeze(ctx, &r, func() error {
		// What cannot be written down is not done.
		if err := s.audit(ctx, by, "replay.create", r.ID.String(), withoutSecrets(want, e)); err != nil {
			return err
		}
		return s.store.SaveReplay(ctx, r)
	})
	return r, err
}

// withoutSecrets is a request as it may be kept for people to read: a URL's query and the headers' values are the
// receiver's secrets.
func withoutSecrets(want Request, e Endpoint) Request {
	want.To = e.Name
	headers := make([]event.Header, len(want.Headers))
	for i, h := range want.Headers {
		headers[i] = event.Header{Name: h.Name, Value: redact.Mask}
	}
	want.Headers = headers
	return want
}

// check completes a request with its defaults, and says what is wrong with it.
func (s *Service) check(ctx context.Context, by Actor, want *Request) (Endpoint, error) {
	o := &want.ReplayOptions
	setDefault(&o.Order, event.OrderNone)
	setDefault(&o.Mode, event.ModeUndelivered)
	setDefault(&o.Retry, event.RetryEndpoint)
	setDefault(&o.Concurrency, 4)
	switch {
	case o.Rate < 0:
		return Endpoint{}, invalid("the rate must not be negative")
	case o.Pace < 0:
		return Endpoint{}, invalid("the pace must not be negative")
	case o.Concurrency > maxConcurrency:
		return Endpoint{}, invalid("the concurrency must be at most %d", maxConcurrency)
	case o.Order != event.OrderNone && o.Order != event.OrderSubscriber:
		return Endpoint{}, invalid("the order %q is none of none, subscriber", o.Order)
	case o.Mode != event.ModeUndelivered && o.Mode != event.ModeAll:
		return Endpoint{}, invalid("the mode %q is none of undelivered, all", o.Mode)
	case o.Retry != event.RetryEndpoint && o.Retry != event.RetryNone:
		return Endpoint{}, invalid("the way to retry %q is none of endpoint, none", o.Retry)
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

func setDefault[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

func (s *Service) resolve(to string) (Endpoint, error) {
	to = outbound.Trim(to)
	return findEndpoint(s.endpoints(), s.allowPrivate, to, to)
}

// Steer pauses, resumes or cancels a replay, or changes its rate.
func (s *Service) Steer(ctx context.Context, by Actor, id uuid.UUID, action event.Action, perSecond float64) error {
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
	if err := s.audit(ctx, by, "replay."+string(action), id.String(), map[string]any{"rate": perSecond}); err != nil {
		return err
	}
	return s.store.AddCommand(ctx, event.Command{Target: id.String(), Action: action, Rate: perSecond, By: by.Name})
}

// SteerEndpoint pauses or resumes all that goes to an endpoint.
func (s *Service) SteerEndpoint(ctx context.Context, by Actor, name string, action event.Action) error {
	if action != event.ActionPause && action != event.ActionResume {
		return invalid("an endpoint can be paused and resumed, and nothing else")
	}
	if _, err := s.resolve(name); err != nil {
		return err
	}
	if err := s.audit(ctx, by, "endpoint."+string(action), name, nil); err != nil {
		return err
	}
	return s.store.AddCommand(ctx, event.Command{Target: name, Action: action, By: by.Name})
}

// EndpointNames are the configured endpoints' names, in the order of the configuration.
func (s *Service) EndpointNames() []string {
	return namesOf(s.endpoints())
}

// CheckEndpoints returns an [*InvalidError], with the known names, if names has an endpoint that nothing can have been sent to: a
// mistyped name would select everything or nothing. Known are the configured endpoints, those that were configured once, and
// the URLs that replays were sent to, as they are shown. Empty names are ignored.
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

// EndpointStatus is an endpoint as it is configured, and where the delivery to it stands.
type EndpointStatus struct {
	Name       string `json:"name"`
	URL        string `json:"url"`
	Subscribed bool   `json:"subscribed"` // to live events; else replays only
	State      string `json:"state"`      // active, paused, broken; unknown while no process has delivered
	// Delivery is what the process that delivers has saved of it last; nil when none ever has.
	Delivery *event.EndpointState `json:"delivery"`
	Backlog  store.Backlog        `json:"backlog"`
}

// Endpoints lists the configured endpoints.
func (s *Service) Endpoints(ctx context.Context) ([]EndpointStatus, error) {
	states, err := s.store.EndpointStates(ctx)
	if err != nil {
		return nil, err
	}
	backlogs, err := s.store.Backlogs(ctx)
	if err != nil {
		return nil, err
	}
	list := []EndpointStatus{}
	for _, e := range s.endpoints() {
		status := EndpointStatus{Name: e.Name, URL: e.StoredURL(), Subscribed: e.Subscribe != nil, State: "unknown"}
		for _, state := range states {
			if state.Endpoint == e.Name && state.State != stateRemoved {
				status.Delivery, status.State = &state, state.State
			}
		}
		for _, b := range backlogs {
			if b.Endpoint == e.Name {
				status.Backlog = b
			}
		}
		list = append(list, status)
	}
	return list, nil
}

// audit writes down who did what; detail is kept as JSON.
func (s *Service) audit(ctx context.Context, by Actor, action, target string, detail any) error {
	text, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("audit %s: %w", action, err)
	}
	entry := store.AuditEntry{At: time.Now(), Who: by.Name, Action: action, Target: target, Detail: string(text)}
	if by.RemoteIP.IsValid() {
		entry.RemoteIP = by.RemoteIP.String()
	}
	return s.store.Audit(ctx, entry)
}

package main

import (
	"context"
	"fmt"
	"os/user"
	"slices"

	"github.com/google/uuid"

	"hooktape/internal/config"
	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/replay"
	"hooktape/web/api"
)

// backend is the API of another process or, in this one, the same API on the database. Both give the same answers.
type backend interface {
	WholeID(ctx context.Context, kind event.Named, text string) (string, error)

	Events(ctx context.Context, sel event.Selection, limit int, cursor string) (api.EventPage, error)
	Event(ctx context.Context, id uuid.UUID) (api.Event, error)
	Body(ctx context.Context, id uuid.UUID) ([]byte, error)
	Accept(ctx context.Context, ids []uuid.UUID) (api.AcceptedList, error)

	Plan(ctx context.Context, want replay.Request) (api.Plan, error)
	Create(ctx context.Context, key string, want replay.Request) (event.Replay, error)
	Replays(ctx context.Context, before uuid.UUID, limit int, states ...event.ReplayState) ([]event.Replay, error)
	Replay(ctx context.Context, id uuid.UUID) (event.Replay, error)
	Steer(ctx context.Context, id uuid.UUID, action event.Action, perSecond float64, reason string) error
	Watch(ctx context.Context, id uuid.UUID, each func(p api.Progress, lost error) error) error
	Diff(ctx context.Context, id uuid.UUID, against string, limit int) (api.Diff, error)

	SavedViews(ctx context.Context) ([]api.SavedView, error)
	SaveView(ctx context.Context, name, query string) error
	DeleteView(ctx context.Context, name string) error

	Endpoints(ctx context.Context) ([]api.Endpoint, error)
	SteerEndpoint(ctx context.Context, name string, action event.Action, reason string) error
	Deliveries(ctx context.Context, sel event.DeliverySelection, limit int, cursor string) (api.DeliveryPage, error)
	Delivery(ctx context.Context, id event.DeliveryID) (api.Delivery, error)
	FailureGroups(ctx context.Context, sel event.DeliverySelection, limit int) (api.FailureGroupList, error)
	RetryDeliveries(ctx context.Context, key string, want api.DeliveryRetry) (api.Retried, error)
}

// withBackend calls a command with the backend, and closes the backend.
func (e *env) withBackend(command func(backend) error) error {
	if e.flags.APIURL != "" {
		token, err := e.apiToken(api.RoleRead)
		if err != nil {
			return err
		}
		client, err := api.NewClient(e.flags.APIURL, token)
		if err != nil {
			return fmt.Errorf("--api-url: %w", err)
		}
		defer client.Close()
		return command(client)
	}
	db, cfg, err := e.openTables()
	if err != nil {
		return err
	}
	defer db.Close()
	direct := api.NewDirect(db, service(db, cfg), replay.Actor{Name: whoami(), MayReachPrivate: true})
	direct.SetHost(api.Host{Source: cfg.IngestSources().Named, Forwards: cfg.Forwards})
	return command(direct)
}

// show prints the answer of the backend: as JSON, or in words by print.
func show[T any](e *env, asJSON bool, get func(backend) (T, error), print func(T) error) error {
	return e.withBackend(func(b backend) error {
		answer, err := get(b)
		switch {
		case err != nil:
			return err
		case asJSON:
			return printJSON(e.stdout, answer)
		}
		return print(answer)
	})
}

func service(db *store.Store, cfg *config.Config) *replay.Service {
	service := replay.NewService(db, cfg.DeliveryEndpoints, cfg.Replay.AllowPrivate)
	service.Own = cfg.Own(db)
	return service
}

// apiToken returns a token for an API: from a file, the environment, or the first one of the configuration that has a
// role.
func (e *env) apiToken(role api.Role) (string, error) {
	token, err := config.Secret("--api-token-file", e.flags.APITokenFile, "HOOKTAPE_API_TOKEN")
	if token != "" || err != nil {
		return token, err
	}
	cfg, err := e.config()
	if err != nil {
		return "", fmt.Errorf("%w; or set HOOKTAPE_API_TOKEN, or name a file with the token by --api-token-file", err)
	}
	i := slices.IndexFunc(cfg.API.Tokens, func(t api.Token) bool { return t.Role.Covers(role) })
	if i < 0 {
		return "", fmt.Errorf("the configuration has no token with the role %s under api.tokens: add one, set "+
			"HOOKTAPE_API_TOKEN, or name a file with the token by --api-token-file", role)
	}
	return cfg.API.Tokens[i].Secret, nil
}

func whoami() string {
	if u, err := user.Current(); err == nil {
		return "cli:" + u.Username
	}
	return "cli"
}

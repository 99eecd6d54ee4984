package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/replay"
)

// Diff compares the answers to a replay's events (here) with the last answers to the same events elsewhere (there).
type Diff struct {
	store.Diff
	Rows []DiffRow `json:"rows" doc:"The first events with different answers, in order of arrival."`
}

// DiffRow is an event with different answers.
type DiffRow struct {
	EventID uuid.UUID `json:"event_id" doc:"The event."`
	Differs []string  `json:"differs" doc:"What differs: status, outcome, body; or only_here, only_there."`
	Here    *Attempt  `json:"here,omitempty" doc:"The replay's last attempt."`
	There   *Attempt  `json:"there,omitempty" doc:"The last attempt elsewhere."`
}

// Diff compares a replay's answers with the last ones of an endpoint; of the replay's own endpoint if against is empty.
// It returns at most limit rows.
func (d *Direct) Diff(ctx context.Context, id uuid.UUID, against string, limit int) (Diff, error) {
	if _, err := d.Replay(ctx, id); err != nil {
		return Diff{}, err
	}
	against = replay.TargetName(against)
	if err := d.service.CheckEndpoints(ctx, against); err != nil {
		return Diff{}, err
	}
	found, err := d.store.DiffReplay(ctx, id, against, limit)
	if err != nil {
		return Diff{}, err
	}
	diff := Diff{found, []DiffRow{}}
	for _, r := range found.Rows {
		diff.Rows = append(diff.Rows, DiffRow{r.EventID, r.Differs, sideJSON(r.Here), sideJSON(r.There)})
	}
	return diff, nil
}

func sideJSON(a *event.Attempt) *Attempt {
	if a == nil {
		return nil
	}
	j := WholeAttempt(*a)
	return &j
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

type diffInput struct {
	ReplayPath
	Against string `query:"against" maxLength:"2048" doc:"The endpoint to compare with, a name or a URL; the replay's own if absent."`
	Limit   int    `query:"limit" default:"20" minimum:"0" maximum:"1000" doc:"The most rows."`
}

func (s *server) diffRoute() {
	reply(s, RoleRead, "GET /replays/{id}/diff", huma.Operation{OperationID: "diff-replay",
		Errors:  []int{http.StatusNotFound},
		Summary: "Compare a replay's answers",
		Description: "Compares each answer with the last answer to the same event from an endpoint outside this " +
			"replay: would the new version have answered the same?"},
		func(ctx context.Context, in *diffInput) (Diff, error) {
			id, err := s.inPath(ctx, event.NamesReplay, in.ID)
			if err != nil {
				return Diff{}, err
			}
			return s.as(ctx).Diff(ctx, id, in.Against, in.Limit)
		})
}

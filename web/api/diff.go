package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"hooktape/internal/store"
	"hooktape/replay"
)

// Diff sets the answers that a replay's events got beside the last ones that the same events got elsewhere.
type Diff struct {
	Same            uint64    `json:"same" doc:"Events answered alike: the same status, outcome and body."`
	DifferentStatus uint64    `json:"different_status" doc:"Events answered with another status or outcome."`
	DifferentBody   uint64    `json:"different_body" doc:"Events answered with the same status and another body."`
	OnlyHere        uint64    `json:"only_here" doc:"Events with an answer in the replay alone."`
	OnlyThere       uint64    `json:"only_there" doc:"Events with an answer elsewhere alone."`
	Neither         uint64    `json:"neither" doc:"Events with no answer on either side."`
	Here            Latency   `json:"here" doc:"How long the replay's answers took, of events that have one on both sides."`
	There           Latency   `json:"there" doc:"How long the other ones took."`
	Rows            []DiffRow `json:"rows" doc:"The first events that were answered differently, in order of arrival."`
}

// Latency is how long answers took.
type Latency struct {
	P50MS float64 `json:"p50_ms" doc:"Half of them took at most this many milliseconds."`
	P95MS float64 `json:"p95_ms" doc:"95 of 100 took at most this many milliseconds."`
}

// DiffRow is an event that was answered differently.
type DiffRow struct {
	EventID uuid.UUID `json:"event_id" doc:"The event."`
	Differs []string  `json:"differs" doc:"What differs: status, outcome, body; or only_here, only_there."`
	Here    *Attempt  `json:"here,omitempty" doc:"The replay's last attempt."`
	There   *Attempt  `json:"there,omitempty" doc:"The last attempt elsewhere."`
}

// Diff compares a replay's answers with the last ones from an endpoint, the replay's own when against is empty. It
// returns at most limit rows.
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
	diff := Diff{Same: found.Same, DifferentStatus: found.DifferentStatus, DifferentBody: found.DifferentBody, OnlyHere: found.OnlyHere,
		OnlyThere: found.OnlyThere, Neither: found.Neither, Here: latencyJSON(found.Here), There: latencyJSON(found.There), Rows: []DiffRow{}}
	for _, r := range found.Rows {
		row := DiffRow{EventID: r.EventID, Differs: r.Differs}
		if r.Here != nil {
			a := attemptOf(*r.Here)
			row.Here = &a
		}
		if r.There != nil {
			a := attemptOf(*r.There)
			row.There = &a
		}
		diff.Rows = append(diff.Rows, row)
	}
	return diff, nil
}

func latencyJSON(l store.Latency) Latency {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return Latency{P50MS: ms(l.P50), P95MS: ms(l.P95)}
}

type diffInput struct {
	ReplayPath
	Against string `query:"against" maxLength:"2048" doc:"The endpoint to compare with, a name or a URL; the replay's own when absent."`
	Limit   int    `query:"limit" default:"20" minimum:"0" maximum:"1000" doc:"At most this many rows."`
}

func (s *server) diff() {
	route(s, RoleRead, huma.Operation{OperationID: "diff-replay", Method: http.MethodGet, Path: "/replays/{id}/diff", Tags: []string{"Replays"},
		Summary: "Compare a replay's answers", Description: "Each answer beside the last one that the same event got from an endpoint outside this replay: would the new version have answered the same?", Errors: []int{http.StatusNotFound}},
		func(ctx context.Context, in *diffInput) (*struct{ Body Diff }, error) {
			diff, err := s.as(ctx).Diff(ctx, in.uuid(), in.Against, in.Limit)
			return &struct{ Body Diff }{diff}, err
		})
}

package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"
	"github.com/google/uuid"
)

// End is the last message of a stream.
type End struct {
	Progress
}

// streamRoute serves a replay's progress as Server-Sent Events. Each message has all of the progress, so that a client
// that was cut off goes on with the next one: Last-Event-ID has nothing to add.
func (s *server) streamRoute() {
	op := s.operation(RoleRead, huma.Operation{OperationID: "watch-replay", Method: http.MethodGet, Path: "/replays/{id}/stream", Tags: []string{"Replays"},
		Summary: "Watch a replay", Description: "Server-Sent Events: `progress` at once and then each second, `end` when the replay is done or cancelled, with which the stream ends. After a lost connection just connect again.",
		Errors: []int{http.StatusNotFound}, Middlewares: huma.Middlewares{s.stream}})
	sse.Register(s.api, op, map[string]any{"progress": Progress{}, "end": End{}},
		func(ctx context.Context, in *ReplayPath, send sse.Sender) {
			err := s.as(ctx).Watch(ctx, in.uuid(), func(p Progress, _ error) error {
				if p.Replay.ID == uuid.Nil {
					return nil // nothing is known yet
				}
				if p.ended {
					return send.Data(End{p})
				}
				return send.Data(p)
			})
			if err != nil && ctx.Err() == nil {
				s.logger.Info("a stream of a replay's progress has ended early", "replay_id", in.ID, "error", err)
			}
		})
}

// stream refuses what cannot be streamed, while an answer other than a stream is possible.
func (s *server) stream(ctx huma.Context, next func(huma.Context)) {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		s.refuse(ctx, problem(http.StatusServiceUnavailable, "%d replays are being watched already; try again later", maxStreams))
		return
	}
	if id, err := uuid.Parse(ctx.Param("id")); err == nil { // what is no id, the library says
		if _, err := s.direct.recent.fresh(ctx.Context(), id); err != nil {
			p, _ := ProblemOf(err)
			s.refuse(ctx, p)
			return
		}
	}
	ctx.SetHeader("X-Accel-Buffering", "no") // nginx would keep the messages back
	next(ctx)
}

package grafanatest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// The tokens that every Server knows.
const (
	AdminToken  = "glsa_admin_0123456789"
	ViewerToken = "glsa_viewer_0123456789"
)

// Server is a Grafana. Its fields may be changed between requests.
type Server struct {
	URL string

	Version string // "": hidden, as Grafana can be configured
	Plugins []string
	Down    bool // the database is down: status 503
	// Unhealthy is the message of data sources' health checks.
	Unhealthy string
	// Refuse is the status of all answers, unless it is 0.
	Refuse int
	// OnWrite is called before each write.
	OnWrite func(r *http.Request)

	mu          sync.Mutex
	folders     map[string]map[string]any
	boards      map[string]*board
	dataSources map[string]map[string]any
	passwords   map[string]string
	writes      int
	lastID      int
}

type board struct {
	model       map[string]any
	folder      string
	provisioned bool
}

// New starts a Grafana 11 with the ClickHouse plugin. It stops when the test ends.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{Version: "11.2.0", Plugins: []string{"grafana-clickhouse-datasource"},
		folders: map[string]map[string]any{}, boards: map[string]*board{}, dataSources: map[string]map[string]any{},
		passwords: map[string]string{}}
	server := httptest.NewServer(s.routes())
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/health", s.health)
	mux.HandleFunc("GET /api/plugins/{id}/settings", s.signedIn(s.plugin))
	mux.HandleFunc("GET /api/folders/{uid}", s.signedIn(get(s.folders, "folder not found")))
	mux.HandleFunc("POST /api/folders", s.admin(s.postFolder))
	mux.HandleFunc("GET /api/dashboards/uid/{uid}", s.signedIn(s.getDashboard))
	mux.HandleFunc("POST /api/dashboards/db", s.admin(s.postDashboard))
	mux.HandleFunc("GET /api/datasources/uid/{uid}", s.admin(get(s.dataSources, "Data source not found")))
	mux.HandleFunc("POST /api/datasources", s.admin(s.postDataSource))
	mux.HandleFunc("PUT /api/datasources/uid/{uid}", s.admin(s.putDataSource))
	mux.HandleFunc("GET /api/datasources/uid/{uid}/health", s.signedIn(s.dataSourceHealth))
	return mux
}

// Writes returns the number of requests that have changed something.
func (s *Server) Writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// signedIn rejects requests without a known token.
func (s *Server) signedIn(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("Authorization")
		switch {
		case s.Refuse != 0:
			say(w, s.Refuse, "Refused")
			return
		case token != "Bearer "+AdminToken && token != "Bearer "+ViewerToken:
			say(w, http.StatusUnauthorized, "Invalid API key")
			return
		}
		if r.Method != http.MethodGet && s.OnWrite != nil {
			s.OnWrite(r)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		next(w, r)
	}
}

// admin rejects requests without the right to change things.
func (s *Server) admin(next http.HandlerFunc) http.HandlerFunc {
	return s.signedIn(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+AdminToken {
			say(w, http.StatusForbidden,
				"You'll need additional permissions to perform this action. Permissions needed: datasources:read")
			return
		}
		if r.Method != http.MethodGet {
			s.writes++
		}
		next(w, r)
	})
}

// say writes an answer of Grafana that only has a message.
func say(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]any{"message": message})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // fails only if the client has disconnected
}

func body(w http.ResponseWriter, r *http.Request) (m map[string]any, ok bool) {
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		say(w, http.StatusBadRequest, "bad request data")
		return nil, false
	}
	return m, true
}

func (s *Server) nextID() int {
	s.lastID++
	return s.lastID
}

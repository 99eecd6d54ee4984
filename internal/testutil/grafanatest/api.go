package grafanatest

import (
	"maps"
	"net/http"
	"slices"
)

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	state := map[string]any{"database": "ok"}
	if s.Version != "" {
		state["version"], state["commit"] = s.Version, "0123456789"
	}
	if s.Down {
		state["database"] = "failing"
		answer(w, http.StatusServiceUnavailable, state)
		return
	}
	answer(w, http.StatusOK, state)
}

func (s *Server) plugin(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !slices.Contains(s.Plugins, id) {
		say(w, http.StatusNotFound, "Plugin not found, no installed plugin with that id")
		return
	}
	answer(w, http.StatusOK, map[string]any{"id": id, "type": "datasource",
		"info": map[string]any{"version": "4.20.0"}})
}

// get answers with one of these things, or says that there is none.
func get(things map[string]map[string]any, none string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if thing, ok := things[r.PathValue("uid")]; ok {
			answer(w, http.StatusOK, thing)
			return
		}
		say(w, http.StatusNotFound, none)
	}
}

func (s *Server) postFolder(w http.ResponseWriter, r *http.Request) {
	folder, ok := body(w, r)
	if !ok {
		return
	}
	for _, other := range s.folders {
		if other["title"] == folder["title"] {
			say(w, http.StatusConflict, "a folder with the same name already exists in the current location")
			return
		}
	}
	uid, _ := folder["uid"].(string)
	s.folders[uid] = map[string]any{"id": s.nextID(), "uid": uid, "title": folder["title"],
		"url": "/dashboards/f/" + uid}
	answer(w, http.StatusOK, s.folders[uid])
}

func (s *Server) getDashboard(w http.ResponseWriter, r *http.Request) {
	b, ok := s.boards[r.PathValue("uid")]
	if !ok {
		say(w, http.StatusNotFound, "Dashboard not found")
		return
	}
	answer(w, http.StatusOK, map[string]any{"dashboard": b.model,
		"meta": map[string]any{"folderUid": b.folder, "provisioned": b.provisioned}})
}

func (s *Server) postDashboard(w http.ResponseWriter, r *http.Request) {
	command, ok := body(w, r)
	if !ok {
		return
	}
	model, _ := command["dashboard"].(map[string]any)
	folder, _ := command["folderUid"].(string)
	uid, _ := model["uid"].(string)
	old := s.boards[uid]
	switch {
	case old == nil && s.titled(folder, model["title"]):
		answer(w, http.StatusPreconditionFailed, map[string]any{"status": "name-exists",
			"message": "A dashboard with the same name in the folder already exists"})
		return
	case old != nil && old.provisioned:
		say(w, http.StatusBadRequest, "Cannot save provisioned dashboard")
		return
	case old != nil && command["overwrite"] != true && old.model["version"] != model["version"]:
		answer(w, http.StatusPreconditionFailed, map[string]any{"status": "version-mismatch",
			"message": "The dashboard has been changed by someone else"})
		return
	case s.folders[folder] == nil && folder != "":
		say(w, http.StatusBadRequest, "Folder not found")
		return
	}
	version := 1.0
	if old != nil {
		version += old.model["version"].(float64)
	}
	model["id"], model["version"] = s.nextID(), version
	s.boards[uid] = &board{model, folder, false}
	answer(w, http.StatusOK, map[string]any{"id": model["id"], "uid": uid, "status": "success", "version": version})
}

func (s *Server) titled(folder string, title any) bool {
	for _, b := range s.boards {
		if b.folder == folder && b.model["title"] == title {
			return true
		}
	}
	return false
}

func (s *Server) postDataSource(w http.ResponseWriter, r *http.Request) {
	d, ok := body(w, r)
	if !ok {
		return
	}
	for _, other := range s.dataSources {
		if other["name"] == d["name"] {
			say(w, http.StatusConflict, "data source with the same name already exists")
			return
		}
	}
	d["id"] = s.nextID()
	s.keep(d)
	answer(w, http.StatusOK, map[string]any{"id": d["id"], "name": d["name"], "message": "Datasource added"})
}

func (s *Server) putDataSource(w http.ResponseWriter, r *http.Request) {
	uid := r.PathValue("uid")
	d, ok := body(w, r)
	switch {
	case !ok:
	case s.dataSources[uid] == nil:
		say(w, http.StatusNotFound, "Data source not found")
	case s.dataSources[uid]["readOnly"] == true:
		say(w, http.StatusForbidden, "Cannot update read-only data source")
	default:
		s.keep(d)
		answer(w, http.StatusOK, map[string]any{"name": d["name"], "message": "Datasource updated"})
	}
}

// keep stores a data source, and its password separately, because Grafana never returns it.
func (s *Server) keep(d map[string]any) {
	uid := d["uid"].(string)
	if secure, ok := d["secureJsonData"].(map[string]any); ok {
		s.passwords[uid], _ = secure["password"].(string)
	}
	d = maps.Clone(d)
	delete(d, "secureJsonData")
	d["secureJsonFields"] = map[string]any{"password": s.passwords[uid] != ""}
	d["version"] = s.nextID()
	s.dataSources[uid] = d
}

func (s *Server) dataSourceHealth(w http.ResponseWriter, r *http.Request) {
	if s.Unhealthy != "" {
		answer(w, http.StatusBadRequest, map[string]any{"status": "ERROR", "message": s.Unhealthy})
		return
	}
	answer(w, http.StatusOK, map[string]any{"status": "OK", "message": "Data source is working"})
}

// Password returns the password of a data source.
func (s *Server) Password(uid string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passwords[uid]
}

// Provisioned marks a dashboard as provisioned from a file, or a data source as read-only.
func (s *Server) Provisioned(uid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.boards[uid]; b != nil {
		b.provisioned = true
	}
	if d := s.dataSources[uid]; d != nil {
		d["readOnly"] = true
	}
}

// Foreign removes a dashboard's tags, as if another program had created it.
func (s *Server) Foreign(uid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.boards[uid].model, "tags")
}

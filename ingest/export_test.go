package ingest

// Reserved is how many bytes requests in flight have reserved.
func (s *Server) Reserved() int64 {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	return s.memory.used
}

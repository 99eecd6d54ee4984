package ingest

// Reserved returns the number of bytes that requests in flight have reserved.
func (s *Server) Reserved() int64 {
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	return s.memory.used
}

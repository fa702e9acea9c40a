package model

// Manifest is goshawk.yaml, as written.
type Manifest struct {
	Name        string
	Description string
	License     string
}

package folder

import "context"

// Look is what the loop does once.
func (s *Source) Look(ctx context.Context) (unsettled bool) { return s.look(ctx, choice{}) }

// ParseConfig reads a configuration, in JSON or as text.
func ParseConfig(text string, json bool) error {
	var err error
	if json {
		_, err = parseJSON(text)
	} else {
		_, err = parseText(text)
	}
	return err
}

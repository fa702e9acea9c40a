package model

func (i *importer) export(dir string, files []string) error { return refuse("%s is missing", ManifestName) }

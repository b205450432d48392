package main

import (
	"net/url"
	"path/filepath"
	"strings"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// A SARIF 2.1.0 log, with the properties that code hosts read: sarifv2.1.0-os.
type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool       sarifTool     `json:"tool"`
	ColumnKind string        `json:"columnKind"`
	Results    []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string    `json:"id"`
	ShortDescription sarifText `json:"shortDescription"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations,omitempty"`
}

type sarifLocation struct {
	PhysicalLocation sarifPlace `json:"physicalLocation"`
}

type sarifPlace struct {
	ArtifactLocation sarifArtifact `json:"artifactLocation"`
	Region           *sarifRegion  `json:"region,omitempty"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
}

var sarifRules = []sarifRule{
	{"policy", sarifText{"A mistake in a policy"}},
	{"manifest", sarifText{"A mistake in a manifest, or in another file that is no policy"}},
	{"check", sarifText{"A mistake that is in no one file"}},
}

// newSARIF returns a log with a result for each finding.
func newSARIF(findings []checkFinding) sarifLog {
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "scanflow", Version: version(), InformationURI: "https://github.com/scanflow-k8s/scanflow", Rules: sarifRules}},
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
	}
	for _, f := range findings {
		text := mistake.Mistake{Object: f.Object, Path: f.Path, Message: f.Text, Fix: f.Fix, Context: f.Context}.Error()
		result := sarifResult{RuleID: "check", Level: f.Severity, Message: sarifText{text}}
		if f.File != "" {
			result.RuleID = "manifest"
			if strings.HasSuffix(f.File, ".rego") {
				result.RuleID = "policy"
			}
			place := sarifPlace{ArtifactLocation: sarifArtifact{fileURI(f.File)}}
			if f.Line > 0 {
				place.Region = &sarifRegion{StartLine: f.Line, StartColumn: f.Column}
			}
			result.Locations = []sarifLocation{{place}}
		}
		run.Results = append(run.Results, result)
	}
	return sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
}

// fileURI returns a file's name as a reference: relative to the folder of the command, unless
// it is absolute.
func fileURI(name string) string {
	name = filepath.ToSlash(name)
	if strings.HasPrefix(name, "/") {
		return (&url.URL{Scheme: "file", Path: name}).String()
	}
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.TrimPrefix(strings.Join(parts, "/"), "./")
}

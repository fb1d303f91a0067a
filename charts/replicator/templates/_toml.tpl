{{/* Writes a map as TOML: one table for each key, and one for each entry of a list. Helm's own toToml
     makes 32.0 of 32, as numbers of values.yaml have no kind; JSON's text is also TOML's. */}}
{{- define "replicator.toml" -}}
{{- range $name, $content := . }}
{{- if kindIs "slice" $content }}
{{- range $content }}

[[{{ $name }}]]
{{- include "replicator.toml.pairs" . }}
{{- end }}
{{- else if $content }}

[{{ $name }}]
{{- include "replicator.toml.pairs" $content }}
{{- end }}
{{- end }}
{{- end }}

{{- define "replicator.toml.pairs" -}}
{{- range $key, $value := . }}
{{- if not (kindIs "invalid" $value) }}
{{ toJson $key }} = {{ include "replicator.toml.value" $value }}
{{- end }}
{{- end }}
{{- end }}

{{- define "replicator.toml.value" -}}
{{- if kindIs "map" . -}}
{{- $pairs := list -}}
{{- range $key, $value := . -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $pairs = append $pairs (printf "%s = %s" (toJson $key) (include "replicator.toml.value" $value)) -}}
{{- end -}}
{{- end -}}
{ {{- join ", " $pairs -}} }
{{- else if kindIs "slice" . -}}
{{- $items := list -}}
{{- range . -}}
{{- $items = append $items (include "replicator.toml.value" .) -}}
{{- end -}}
[{{ join ", " $items }}]
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end }}

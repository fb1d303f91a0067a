{{- define "replicator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Short enough that the longest suffix, -scheduler, still fits into a label. */}}
{{- define "replicator.fullname" -}}
{{- $name := include "replicator.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "replicator.selector" -}}
app.kubernetes.io/name: {{ include "replicator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "replicator.labels" -}}
{{ include "replicator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "replicator.image" -}}
{{- with .Values.image -}}
{{- $name := required "image.repository: say where your cluster gets the image" .repository -}}
{{- if .digest }}{{ $name }}@{{ .digest }}{{ else }}{{ $name }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{- define "replicator.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "replicator.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "replicator.claim" -}}
{{- default (printf "%s-data" (include "replicator.fullname" .)) .Values.storage.existingClaim }}
{{- end }}

{{/* The parts of which each is a Deployment, as a list in JSON. */}}
{{- define "replicator.components" -}}
{{- $of := dict "roles" (list "api" "scheduler" "worker") "all" (list "all") "cron" list -}}
{{- get $of .Values.mode | toJson }}
{{- end }}

{{/* The part that answers people. */}}
{{- define "replicator.front" -}}
{{- ternary "api" "all" (eq .Values.mode "roles") }}
{{- end }}

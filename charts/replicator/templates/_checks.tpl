{{/* What the schema cannot say: values that only make sense together. */}}
{{- define "replicator.check" -}}
{{- with .Values -}}
{{- include "replicator.check.database" . -}}
{{- if and (ne .mode "cron") (not .secretKey.secretName) -}}
{{- fail "secretKey.secretName: name an existing Secret with the key; docs/kubernetes.md says how to make it" -}}
{{- end -}}
{{- $own := dict "database" "database" "listen" "listen" "grace" "grace" "secret_key_file" "secretKey" -}}
{{- range $key, $value := $own -}}
{{- if hasKey (default dict $.Values.config.service) $key -}}
{{- fail (printf "config.service.%s: the chart has a value of its own for it, %s" $key $value) -}}
{{- end -}}
{{- end -}}
{{- if hasKey .config "rules" -}}
{{- fail "config.rules: write them below rules:" -}}
{{- end -}}
{{- if and .ca.configMap .ca.secret -}}
{{- fail "ca: name a ConfigMap or a Secret, not both" -}}
{{- end -}}
{{- if and (eq .mode "cron") (or .ingress.enabled .httpRoute.enabled .monitoring.serviceMonitor.enabled) -}}
{{- fail "mode cron has no service: turn ingress, httpRoute and monitoring.serviceMonitor off" -}}
{{- end -}}
{{- if and .httpRoute.enabled (not .httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs: name the gateway" -}}
{{- end -}}
{{- if and .ingress.enabled (not .ingress.host) -}}
{{- fail "ingress.host: say under which name people reach it" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "replicator.check.database" -}}
{{- if eq .database.kind "sqlite" -}}
{{- if eq .mode "roles" -}}
{{- fail "database.kind sqlite is for one process: set mode to all or cron" -}}
{{- end -}}
{{- if and (eq .mode "all") (ne (int .all.replicas) 1) -}}
{{- fail "all.replicas: an SQLite file is for one Pod" -}}
{{- end -}}
{{- else if .database.urlSecret.name -}}
{{- if .database.url -}}
{{- fail "database: give urlSecret or url, not both" -}}
{{- end -}}
{{- else if not .database.url -}}
{{- fail "database.urlSecret.name: name an existing Secret with the URL of your PostgreSQL database" -}}
{{- else if not .database.passwordSecret.name -}}
{{- fail "database.passwordSecret.name: name an existing Secret with the password" -}}
{{- end -}}
{{- end }}

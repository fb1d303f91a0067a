{{/* The Pod of a part. Takes root, component, args, probes (whether it answers) and restartPolicy. */}}
{{- define "replicator.pod" -}}
{{- $values := .root.Values -}}
{{- $own := default dict (get $values .component) -}}
{{- $isFront := eq .component (include "replicator.front" .root) -}}
metadata:
  labels:
    {{- include "replicator.selector" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
    {{- with $values.serviceAccount.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include "replicator.config" .root | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "replicator.serviceAccount" .root }}
  terminationGracePeriodSeconds: {{ add $values.grace (ternary 15 10 $isFront) }}
  {{- include "replicator.pod.common" .root | nindent 2 }}
  {{- with .restartPolicy }}
  restartPolicy: {{ . }}
  {{- end }}
  {{- include "replicator.pod.places" . | nindent 2 }}
  containers:
    - name: replicator
      {{- include "replicator.container" .root | nindent 6 }}
        {{- include "replicator.env.registries" .root | nindent 8 }}
      args: {{ toJson .args }}
      {{- if .probes }}
      ports:
        - name: http
          containerPort: 8080
      startupProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 2
        failureThreshold: 60
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        timeoutSeconds: 5
      livenessProbe:
        httpGet: {path: /healthz, port: http}
        timeoutSeconds: 5
        failureThreshold: 6
      {{- if $isFront }}
      lifecycle:
        # Until all nodes know that the Pod is going, requests still come.
        preStop:
          exec: {command: [sleep, "5"]}
      {{- end }}
      {{- end }}
      resources:
        {{- mergeOverwrite (deepCopy $values.resources) (default dict $own.resources) | toYaml | nindent 8 }}
      volumeMounts:
        - {name: config, mountPath: /etc/replicator, readOnly: true}
        - {name: data, mountPath: /data}
        - {name: tmp, mountPath: /tmp}
        {{- include "replicator.mounts" .root | nindent 8 }}
  volumes:
    - name: config
      configMap:
        name: {{ include "replicator.fullname" .root }}
    - name: tmp
      emptyDir: {sizeLimit: 64Mi}
    - name: data
      {{- if eq $values.database.kind "sqlite" }}
      persistentVolumeClaim:
        claimName: {{ include "replicator.claim" .root }}
      {{- else }}
      emptyDir: {sizeLimit: 64Mi}
      {{- end }}
    {{- include "replicator.volumes" .root | nindent 4 }}
{{- end }}

{{/* What holds for every Pod, that of the migration too. */}}
{{- define "replicator.pod.common" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  {{- with .Values.userId }}
  runAsUser: {{ . | int64 }}
  runAsGroup: {{ . | int64 }}
  fsGroup: {{ . | int64 }}
  fsGroupChangePolicy: OnRootMismatch
  {{- end }}
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Where the Pods of a part go. */}}
{{- define "replicator.pod.places" -}}
{{- with .root.Values.nodeSelector -}}
nodeSelector: {{ toJson . }}
{{ end -}}
{{- with .root.Values.tolerations -}}
tolerations: {{ toJson . }}
{{ end -}}
{{- with .root.Values.affinity -}}
affinity: {{ toJson . }}
{{ end -}}
{{- with .root.Values.priorityClassName -}}
priorityClassName: {{ . }}
{{ end -}}
topologySpreadConstraints:
  {{- with .root.Values.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "replicator.selector" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
  {{- end }}
{{- end }}

{{- define "replicator.container" -}}
image: {{ include "replicator.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  {{- include "replicator.env" . | nindent 2 }}
{{- end }}

{{- define "replicator.env" -}}
- {name: HOME, value: /tmp}
{{- with .Values.database }}
{{- if eq .kind "sqlite" }}
- {name: REPLICATOR_DATABASE, value: "sqlite:////data/replicator.db"}
{{- else if .urlSecret.name }}
- name: REPLICATOR_DATABASE
  valueFrom:
    secretKeyRef: {name: {{ .urlSecret.name }}, key: {{ .urlSecret.key }}}
{{- else }}
- {name: REPLICATOR_DATABASE, value: {{ .url | quote }}}
- name: PGPASSWORD
  valueFrom:
    secretKeyRef: {name: {{ .passwordSecret.name }}, key: {{ .passwordSecret.key }}}
{{- end }}
{{- end }}
{{- if or .Values.ca.configMap .Values.ca.secret }}
# The image's own authorities are still found, in OpenSSL's folder.
- {name: SSL_CERT_FILE, value: /etc/replicator-ca/ca.crt}
- {name: PGSSLROOTCERT, value: /etc/replicator-ca/ca.crt}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What only those need who speak to registries. */}}
{{- define "replicator.env.registries" -}}
- {name: REPLICATOR_CONFIG, value: /etc/replicator/config.toml}
{{- if .Values.dockerConfigSecret }}
- {name: DOCKER_CONFIG, value: /etc/replicator-docker}
{{- end }}
{{- with .Values.proxies }}
{{- with .https }}
- {name: HTTPS_PROXY, value: {{ . | quote }}}
{{- end }}
{{- with .http }}
- {name: HTTP_PROXY, value: {{ . | quote }}}
{{- end }}
{{- if or .https .http }}
- {name: NO_PROXY, value: {{ concat (list "localhost" "127.0.0.1" ".svc" ".cluster.local") .exclude | join "," | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{- define "replicator.mounts" -}}
{{- if .Values.secretKey.secretName }}
- {name: secret-key, mountPath: /etc/replicator-key, readOnly: true}
{{- end }}
{{- if .Values.dockerConfigSecret }}
- {name: docker-config, mountPath: /etc/replicator-docker, readOnly: true}
{{- end }}
{{- range $number, $name := .Values.secrets }}
- {name: secret-{{ $number }}, mountPath: /run/secrets/{{ $name }}, readOnly: true}
{{- end }}
{{- include "replicator.mounts.ca" . }}
{{- end }}

{{- define "replicator.mounts.ca" -}}
{{- if or .Values.ca.configMap .Values.ca.secret }}
- {name: ca, mountPath: /etc/replicator-ca, readOnly: true}
{{- end }}
{{- end }}

{{- define "replicator.volumes" -}}
{{- with .Values.secretKey }}
{{- if .secretName }}
- name: secret-key
  secret:
    secretName: {{ .secretName }}
    defaultMode: 0440
    items: [{key: {{ .key }}, path: secret-key}]
{{- end }}
{{- end }}
{{- with .Values.dockerConfigSecret }}
- name: docker-config
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items: [{key: .dockerconfigjson, path: config.json}]
{{- end }}
{{- range $number, $name := .Values.secrets }}
- name: secret-{{ $number }}
  secret: {secretName: {{ $name }}, defaultMode: 0440}
{{- end }}
{{- include "replicator.volumes.ca" . }}
{{- end }}

{{- define "replicator.volumes.ca" -}}
{{- with .Values.ca }}
{{- if .configMap }}
- name: ca
  configMap:
    name: {{ .configMap }}
    items: [{key: {{ .key }}, path: ca.crt}]
{{- else if .secret }}
- name: ca
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items: [{key: {{ .key }}, path: ca.crt}]
{{- end }}
{{- end }}
{{- end }}

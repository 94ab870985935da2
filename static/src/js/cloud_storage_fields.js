odoo.define("cloud_storage.fields", function (require) {
    "use strict";

    const AbstractField = require("web.AbstractField");
    const basicFields = require("web.basic_fields");
    const fieldRegistry = require("web.field_registry");
    const fieldUtils = require("web.field_utils");
    const utils = require("web.utils");

    const FORM_REFRESH_MS = 1000;
    const LIST_REFRESH_MS = 3000; // the whole list, or the dashboard around it
    const REST = 5; // times as long as the last refresh took, on a large database

    let refreshStarted = 0;
    const watched = new Set(); // runs that this page saw under way

    /** A number of bytes, for people. */
    fieldUtils.format.cloud_storage_size = function (value) {
        return value ? utils.human_size(value) : "0 Bytes";
    };

    const FileSize = basicFields.FieldFloat.extend({
        formatType: "cloud_storage_size",
    });

    /**
     * The progress of a run: a bar and a text, refreshed while the run is alive.
     *
     * The view needs the fields `is_unfinished` and `progress_text` as well.
     */
    const LiveProgress = AbstractField.extend({
        className: "o_cloud_storage_progress",
        supportedFieldTypes: ["float"],

        isSet: function () {
            return true; // Odoo 14 hides what is not set, and 0 is not
        },
        destroy: function () {
            clearTimeout(this.timer);
            this._super.apply(this, arguments);
        },

        _render: function () {
            const percent = Math.round(this.value || 0);
            const text = this.recordData.progress_text || percent + " %";
            this.$el.empty().append(
                $("<div/>", {
                    class: "progress",
                    role: "progressbar",
                    "aria-valuemin": 0,
                    "aria-valuemax": 100,
                    "aria-valuenow": percent,
                    "aria-valuetext": text,
                }).append($("<div/>", {class: "progress-bar"}).width(percent + "%")),
                $("<small/>", {text: text})
            );
            this._watch();
        },
        _watch: function () {
            clearTimeout(this.timer);
            if (!this.recordData.is_unfinished) {
                this._tellEnd();
                return;
            }
            watched.add(this.res_id);
            const least = this.viewType === "form" ? FORM_REFRESH_MS : LIST_REFRESH_MS;
            const took = refreshStarted && Date.now() - refreshStarted;
            refreshStarted = 0;
            this.timer = setTimeout(
                () => this._refresh(),
                Math.max(least, REST * took)
            );
        },
        /** Say what came of a run that somebody watched on its page. */
        _tellEnd: function () {
            if (!watched.delete(this.res_id) || this.viewType !== "form") {
                return;
            }
            const {state, total_errors, message, progress_text} = this.recordData;
            this.displayNotification({
                type: state === "done" && !total_errors ? "success" : "warning",
                message: [progress_text, message].filter(Boolean).join(". "),
            });
        },
        _refresh: function () {
            if (document.hidden || !document.body.contains(this.el)) {
                this._watch(); // nobody looks: no request
                return;
            }
            refreshStarted = Date.now();
            this.trigger_up(
                this.viewType === "form" ? "cloud_storage_refresh" : "reload",
                {onFailure: () => this._watch()}
            );
        },
    });

    fieldRegistry.add("cloud_storage_size", FileSize);
    fieldRegistry.add("cloud_storage_progress", LiveProgress);
    return {FileSize, LiveProgress};
});

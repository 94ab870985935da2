odoo.define("cloud_storage.fields", function (require) {
    "use strict";

    const AbstractField = require("web.AbstractField");
    const basicFields = require("web.basic_fields");
    const fieldRegistry = require("web.field_registry");
    const fieldUtils = require("web.field_utils");
    const utils = require("web.utils");

    const REFRESH_MS = 2000;

    /** A number of bytes, for people. */
    fieldUtils.format.cloud_storage_size = function (value) {
        return value ? utils.human_size(value) : "0 Bytes";
    };

    const FileSize = basicFields.FieldFloat.extend({
        formatType: "cloud_storage_size",
    });

    /**
     * The progress of a run: a bar and words, refreshed while the run is alive.
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
            const words = this.recordData.progress_text || percent + " %";
            this.$el.empty().append(
                $("<div/>", {
                    class: "progress",
                    role: "progressbar",
                    "aria-valuemin": 0,
                    "aria-valuemax": 100,
                    "aria-valuenow": percent,
                    "aria-valuetext": words,
                }).append($("<div/>", {class: "progress-bar"}).width(percent + "%")),
                $("<small/>", {text: words})
            );
            this._watch();
        },
        _watch: function () {
            clearTimeout(this.timer);
            if (this.recordData.is_unfinished) {
                this.timer = setTimeout(() => this._refresh(), REFRESH_MS);
            }
        },
        _refresh: function () {
            if (document.hidden || !document.body.contains(this.el)) {
                this._watch(); // nobody looks: no request
                return;
            }
            this.trigger_up("reload", {onFailure: () => this._watch()});
        },
    });

    fieldRegistry.add("cloud_storage_size", FileSize);
    fieldRegistry.add("cloud_storage_progress", LiveProgress);
    return {FileSize, LiveProgress};
});

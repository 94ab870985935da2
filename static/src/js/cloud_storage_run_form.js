odoo.define("cloud_storage.run_form", function (require) {
    "use strict";

    const FormController = require("web.FormController");
    const FormView = require("web.FormView");
    const viewRegistry = require("web.view_registry");

    /**
     * Takes new values into the form that is there.
     *
     * The usual reload makes another form: every second it would take away the focus, and
     * the button under somebody's mouse.
     */
    const RunFormController = FormController.extend({
        custom_events: Object.assign({}, FormController.prototype.custom_events, {
            cloud_storage_refresh: "_onRefresh",
        }),

        _onRefresh: function (ev) {
            ev.stopPropagation();
            this.model
                .reload(this.handle)
                .then(() => {
                    const record = this.model.get(this.handle);
                    const names = Object.keys(record.data);
                    return this.renderer.confirmChange(record, record.id, names);
                })
                .guardedCatch(ev.data.onFailure);
        },
    });

    const RunFormView = FormView.extend({
        config: Object.assign({}, FormView.prototype.config, {
            Controller: RunFormController,
        }),
    });

    viewRegistry.add("cloud_storage_run_form", RunFormView);
    return RunFormView;
});

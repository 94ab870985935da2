odoo.define("cloud_storage.forms", function (require) {
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

    /**
     * A dialog with nothing to fill in: its main button has the focus.
     *
     * Left alone, the focus stays on the page below, where the keyboard goes on.
     */
    const DialogController = FormController.extend({
        // the dialog opens before its buttons are made, or after (Odoo 14)
        on_attach_callback: function () {
            this._super.apply(this, arguments);
            this._focusMainButton();
        },
        renderButtons: function () {
            this._super.apply(this, arguments);
            this._focusMainButton();
        },
        _focusMainButton: function () {
            const $modal = this.$el.closest(".modal");
            $modal.addClass("o_cloud_storage_form");
            if (!$modal.find(":focus").length) {
                const button = $modal.find(".modal-footer .btn-primary:visible")[0];
                // what a long dialog says comes first
                button && button.focus({preventScroll: true});
            }
        },
    });

    /** The form view with a controller of its own. */
    function register(name, Controller) {
        const config = Object.assign({}, FormView.prototype.config, {Controller});
        viewRegistry.add(name, FormView.extend({config}));
    }

    register("cloud_storage_run_form", RunFormController);
    register("cloud_storage_dialog", DialogController);
    return {RunFormController, DialogController};
});

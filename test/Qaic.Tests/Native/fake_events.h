/* Events of fake_qaic.c: completed by the inference that they are enqueued with, they call back on threads of their own. Included once, by that file. */

struct Call { EventCallback function; void *user; struct Call *next; };

static __thread bool s_isCallback;

static void append(Call **list, EventCallback function, void *user)
{
    Call *call = malloc(sizeof *call);
    *call = (Call){ function, user, NULL };
    while (*list != NULL) {
        list = &(*list)->next;
    }
    *list = call;
}

static unsigned discard(Call **list, EventCallback function)
{
    unsigned discarded = 0;
    while (*list != NULL) {
        Call *call = *list;
        if (function == NULL || call->function == function) {
            *list = call->next;
            free(call);
            discarded++;
        } else {
            list = &call->next;
        }
    }
    return discarded;
}

static bool contains(const Call *list, EventCallback function)
{
    while (list != NULL && list->function != function) {
        list = list->next;
    }
    return list != NULL;
}

/* Makes the calls that are due, one after the other, without the lock. An event that was released by its own callback ends here. */
static void *call_back(void *argument)
{
    Object *event = argument;
    Object *context = event->context;
    LOCKED;
    s_isCallback = true;
    while (event->due != NULL) {
        Call *call = event->due;
        event->due = call->next;
        event->calling = call->function;
        pthread_mutex_unlock(lock);
        call->function(handle_of(event), event->eventType, call->user);
        free(call);
        pthread_mutex_lock(lock);
        event->calling = NULL;
        pthread_cond_broadcast(&event->changed);
    }
    event->isCalling = false;
    pthread_cond_broadcast(&event->changed);
    if (event->left) {
        bury(event);
    }
    context->deliveries--;
    pthread_cond_broadcast(&context->changed);
    return NULL;
}

static void call_what_is_due(Object *event)
{
    pthread_t thread;
    if (!event->isCalling && event->due != NULL && pthread_create(&thread, NULL, call_back, event) == 0) {
        pthread_detach(thread);
        event->isCalling = true;
        event->context->deliveries++;
    }
}

static QStatus begin_event(Object *event)
{
    if (event->progress == RUNNING) {
        return refuse(event->context, QS_INVAL, "The event is in flight");
    }
    if (event->progress == DONE) {
        return refuse(event->context, QS_INVAL, "The event is complete; clear it first");
    }
    event->progress = RUNNING;
    event->children++;
    event->flight++;
    return QS_SUCCESS;
}

static void complete_event(Object *event, QStatus result)
{
    event->progress = DONE;
    event->result = result;
    event->children--;
    for (const Call *call = event->callbacks; call != NULL; call = call->next) {
        append(&event->due, call->function, call->user);
    }
    pthread_cond_broadcast(&event->changed);
    call_what_is_due(event);
}

QStatus qaicCreateEvent(void *handle, void **out, uint32_t type)
{
    LOCKED;
    TAKE(context, handle, CONTEXT);
    if (out == NULL) {
        return QS_INVAL;
    }
    *out = NULL;
    SCRIPTED(context);
    Object *event = make(EVENT, context, NULL, NULL);
    if (event == NULL) {
        return QS_NOMEM;
    }
    event->eventType = type;
    *out = handle_of(event);
    return QS_SUCCESS;
}

QStatus qaicReleaseEvent(void *handle)
{
    LOCKED;
    TAKE(event, handle, EVENT);
    SCRIPTED(event->context);
    if (event->children != 0) {
        return refuse(event->context, QS_INVAL, "The event is in flight and cannot be released");
    }
    discard(&event->callbacks, NULL);
    forget(event);
    while (event->isCalling && !s_isCallback) {
        pthread_cond_wait(&event->changed, lock);
    }
    if (event->isCalling) {
        event->left = true;
    } else {
        bury(event);
    }
    return QS_SUCCESS;
}

QStatus qaicEventClear(void *handle)
{
    LOCKED;
    TAKE(event, handle, EVENT);
    SCRIPTED(event->context);
    if (event->progress == RUNNING) {
        return refuse(event->context, QS_INVAL, "The event is in flight and cannot be cleared");
    }
    event->progress = IDLE;
    return QS_SUCCESS;
}

QStatus qaicEventAddCallback(void *handle, EventCallback callback, void *user)
{
    LOCKED;
    TAKE(event, handle, EVENT);
    if (callback == NULL) {
        return QS_INVAL;
    }
    SCRIPTED(event->context);
    append(&event->callbacks, callback, user);
    if (event->progress == DONE) {
        append(&event->due, callback, user);
        call_what_is_due(event);
    }
    return QS_SUCCESS;
}

QStatus qaicEventRemoveCallback(void *handle, EventCallback callback)
{
    LOCKED;
    TAKE(event, handle, EVENT);
    if (callback == NULL) {
        return QS_INVAL;
    }
    SCRIPTED(event->context);
    unsigned removed = discard(&event->callbacks, callback);
    while (!s_isCallback && (event->calling == callback || contains(event->due, callback))) {
        pthread_cond_wait(&event->changed, lock);
    }
    return removed != 0 ? QS_SUCCESS : QS_INVAL;
}

QStatus qaicWaitforEvent(void *handle)
{
    LOCKED;
    TAKE(event, handle, EVENT);
    SCRIPTED(event->context);
    if (event->progress == IDLE) {
        return refuse(event->context, QS_INVAL, "No inference was enqueued with the event");
    }
    uint64_t flight = event->flight;
    while (event->progress == RUNNING && event->flight == flight) {
        pthread_cond_wait(&event->changed, lock);
    }
    return event->result;
}

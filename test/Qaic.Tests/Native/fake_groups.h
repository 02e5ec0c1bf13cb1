/* Program groups of fake_qaic.c, which includes this file once: a queue and programs that belong to the group and, oversubscribed, share one activation's core. */

typedef struct { bool enableOversubscription; uint32_t protocolSelect; } QAicProgramGroupProperties;

QStatus qaicProgramGroupPropertiesInitDefault(QAicProgramGroupProperties *properties)
{
    if (properties == NULL) {
        return QS_INVAL;
    }
    LOCKED;
    SCRIPTED(NULL);
    memset(properties, 0, sizeof *properties);
    return QS_SUCCESS;
}

QStatus qaicCreateProgramGroup(void *contextHandle, void **out, void **outQueue, const QAicProgramGroupProperties *properties, const char *name, QID device)
{
    LOCKED;
    TAKE(context, contextHandle, CONTEXT);
    if (out == NULL || outQueue == NULL) {
        return QS_INVAL;
    }
    *out = *outQueue = NULL;
    if (!exists(device)) {
        return QS_NODEV;
    }
    SCRIPTED(context);
    if (properties != NULL && properties->protocolSelect > 1) {
        return refuse(context, QS_INVAL, "There is no such switch protocol");
    }
    Object *queue, *group = make(GROUP, context, NULL, NULL);
    if (group == NULL) {
        return QS_NOMEM;
    }
    QStatus status = make_queue(context, &queue);
    if (status != QS_SUCCESS) {
        destroy(group);
        return status;
    }
    queue->group = group;
    group->oversubscribed = properties != NULL && properties->enableOversubscription;
    snprintf(group->name, sizeof group->name, "%s", name == NULL ? "unnamed" : name);
    *out = handle_of(group);
    *outQueue = handle_of(queue);
    return QS_SUCCESS;
}

QStatus qaicProgramGroupAddProgram(void *groupHandle, void *qpcHandle, void **out, const void *properties)
{
    (void)properties;
    LOCKED;
    TAKE(group, groupHandle, GROUP);
    TAKE(qpc, qpcHandle, QPC);
    if (out == NULL) {
        return QS_INVAL;
    }
    *out = NULL;
    SCRIPTED(group->context);
    if (group->active) {
        return refuse(group->context, QS_INVAL, "The program group is enabled");
    }
    if (s_activations == CORES) {
        return refuse(group->context, QS_DEV_ERROR, "The device does not satisfy the resource requirements of the program");
    }
    Object *program = make(PROGRAM, group->context, qpc, NULL);
    if (program == NULL) {
        return QS_NOMEM;
    }
    program->group = group;
    *out = handle_of(program);
    return QS_SUCCESS;
}

/* Its programs become active or not, with cores of their own or none. */
static QStatus switch_programs(Object *group, bool on)
{
    QStatus status = QS_SUCCESS;
    for (unsigned i = 0; i < s_live && status == QS_SUCCESS; i++) {
        Object *program = s_objects[i];
        if (program->kind != PROGRAM || program->group != group) {
            continue;
        }
        if (group->oversubscribed) {
            program->loaded = program->active = on;
        } else if (on) {
            status = activate(program);
        } else {
            deactivate(program);
        }
    }
    return status;
}

QStatus qaicProgramGroupEnable(void *handle)
{
    LOCKED;
    TAKE(group, handle, GROUP);
    SCRIPTED(group->context);
    if (group->active) {
        return QS_SUCCESS;
    }
    unsigned programs = 0;
    for (unsigned i = 0; i < s_live; i++) {
        programs += s_objects[i]->kind == PROGRAM && s_objects[i]->group == group;
    }
    if (programs == 0) {
        return refuse(group->context, QS_INVAL, "The program group has no programs");
    }
    if (group->oversubscribed && s_activations == CORES) {
        return refuse(group->context, QS_DEV_ERROR, "Failed to allocate NSP resources");
    }
    s_activations += group->oversubscribed;
    QStatus status = switch_programs(group, true);
    if (status != QS_SUCCESS) {
        switch_programs(group, false);
        return status;
    }
    group->active = true;
    return QS_SUCCESS;
}

static Object *running_of(const Object *group)
{
    for (unsigned i = 0; i < s_live; i++) {
        if (s_objects[i]->kind == EXEC && s_objects[i]->program->group == group && s_objects[i]->progress == RUNNING) {
            return s_objects[i];
        }
    }
    return NULL;
}

static void disable(Object *group)
{
    switch_programs(group, false);
    s_activations -= group->oversubscribed;
    group->active = false;
    for (unsigned i = 0; i < s_live; i++) {
        if (s_objects[i]->kind == EXEC && s_objects[i]->program->group == group) {
            s_objects[i]->stale = true;
        }
    }
}

QStatus qaicProgramGroupDisable(void *handle, bool force, Count microseconds)
{
    (void)microseconds;
    LOCKED;
    TAKE(group, handle, GROUP);
    SCRIPTED(group->context);
    if (!group->active) {
        return refuse(group->context, QS_INVAL, "The program group is not enabled");
    }
    /* It neither waits nor interrupts. */
    if (running_of(group) != NULL) {
        return refuse(group->context, force ? QS_UNSUPPORTED : QS_BUSY, "Inferences of the program group are running");
    }
    disable(group);
    return QS_SUCCESS;
}

QStatus qaicReleaseProgramGroup(void *handle)
{
    LOCKED;
    TAKE(group, handle, GROUP);
    SCRIPTED(group->context);
    for (unsigned i = 0; i < s_live; i++) {
        if (s_objects[i]->kind == EXEC && s_objects[i]->program->group == group) {
            return refuse(group->context, QS_INVAL, "The program group has execution objects. Release them first");
        }
    }
    if (group->active) {
        disable(group);
    }
    Object *queue = NULL;
    for (unsigned i = s_live; i-- > 0;) {
        Object *object = s_objects[i];
        if (object->group != group) {
            continue;
        }
        if (object->kind == PROGRAM) {
            destroy(object);
        } else {
            queue = object;
        }
    }
    release_queue(queue, lock);
    destroy(group);
    return QS_SUCCESS;
}
